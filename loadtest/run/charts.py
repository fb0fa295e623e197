"""Reports of the crews into Locust's statistics.

Locust's `request` event is not fired for each message: at ten thousand deliveries a second that
alone would take a core. Reports are merged as Locust merges those of its own workers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from loadtest.fleet.histogram import middle
from locust.stats import RequestStats, StatsEntry, StatsEntryDict

if TYPE_CHECKING:
    from loadtest.fleet.wire import Report

OWN: Final = frozenset({"loop lag"})
"""What is about the generator: shown, but no request of anybody."""


def add(stats: RequestStats, report: Report) -> None:
    """Add what one crew counted in a second."""
    for name, buckets in report.samples.items():
        kind = "generator" if name in OWN else "client"
        entry = StatsEntry.unserialize(_entry(name, kind, buckets), stats)
        _known(stats, name, kind).extend(entry)
        if name not in OWN:
            stats.total.extend(StatsEntry.unserialize(_entry(name, kind, buckets), stats))
    for name, why, count in report.failures:
        _known(stats, name, "client")
        for _ in range(count):
            stats.log_error("client", name, why)


def _known(stats: RequestStats, name: str, kind: str) -> StatsEntry:
    entry = stats.entries.get((name, kind))
    if entry is None:
        entry = StatsEntry(stats, name, kind, use_response_times_cache=True)
        stats.entries[name, kind] = entry
    return entry


def _entry(name: str, kind: str, buckets: dict[int, int]) -> StatsEntryDict:
    """One second of one name as a worker of Locust would tell it; times in ms."""
    now = time.time()
    times: dict[int, int] = {}
    for edge, count in buckets.items():
        rounded = _rounded(middle(edge) / 1000)
        times[rounded] = times.get(rounded, 0) + count
    count = sum(buckets.values())
    return {
        "name": name,
        "method": kind,
        "last_request_timestamp": now,
        "start_time": now,
        "num_requests": count,
        "num_none_requests": 0,
        "num_failures": 0,
        "total_response_time": sum(middle(e) * c for e, c in buckets.items()) / 1000,
        "max_response_time": middle(max(buckets)) / 1000,
        "min_response_time": middle(min(buckets)) / 1000,
        "total_content_length": 0,
        "response_times": times,
        "num_reqs_per_sec": {int(now): count},
        "num_fail_per_sec": {},
    }


def _rounded(ms: float) -> int:
    """Two leading digits from 100 ms on, as Locust itself keeps them."""
    digits = len(str(int(ms))) - 2
    return int(round(ms, -digits)) if digits > 0 else round(ms)
