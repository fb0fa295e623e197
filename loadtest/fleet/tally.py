"""What one crew counts between two reports: durations, failures, events, broken promises."""

from __future__ import annotations

import resource
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

from loadtest.fleet.histogram import Buckets, bucket
from loadtest.fleet.wire import Report

EXAMPLES: Final = 20
"""Broken promises that are told in words; all are counted."""
PAGE_BYTES: Final = resource.getpagesize()


class Tally:
    """Filled by the clients, emptied once a second."""

    def __init__(self) -> None:
        self.samples: defaultdict[str, Buckets] = defaultdict(Counter)
        self.failures: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self._examples: list[str] = []
        self._told = 0

    def sample(self, name: str, seconds: float) -> None:
        """Something took so long."""
        self.samples[name][bucket(int(seconds * 1e6))] += 1

    def fail(self, name: str, why: str) -> None:
        """Something asked for was not done."""
        self.failures[name, why] += 1

    def fault(self, kind: str, words: str, times: int = 1) -> None:
        """The node broke a promise: `lost`, `twice`, `order`, `wrong` and so on."""
        self.counts[f"fault {kind}"] += times
        if self._told < EXAMPLES:
            self._told += 1
            self._examples.append(f"{kind}: {words}")

    def take(self, *, standing: int, silent: int, gone: int) -> Report:
        """Everything since the last time; counting begins anew."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        report = Report(
            samples={name: dict(buckets) for name, buckets in self.samples.items()},
            failures=[(name, why, count) for (name, why), count in self.failures.items()],
            counts=dict(self.counts),
            examples=self._examples,
            standing=standing,
            silent=silent,
            gone=gone,
            resident=int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES,
            cpu=usage.ru_utime + usage.ru_stime,
        )
        self.samples.clear()
        self.failures.clear()
        self.counts.clear()
        self._examples = []
        return report
