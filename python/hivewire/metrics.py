"""What the node counts about itself, and how Prometheus reads it.

The hot path touches plain integers, a `Counter` and `Histogram.observe`; everything that costs more
happens when somebody scrapes. Names follow Prometheus: `hivewire_`, base units, `_total` for
counters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

SECONDS: Final = (
    *(0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
MESSAGES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
WAITS: Final = (0.000_001, 0.000_005, 0.000_01, 0.000_05, *SECONDS[:-4])
"""Seconds too, of what takes a microsecond when nobody is in the way."""
USERS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0, 10_000.0)

# What the engine counts, summed over its shards. A name of ours that ends in `_total` is a counter,
# any other a gauge; what is not in this table is exported without a help text.
ENGINE: Final = {
    "connections": "Open connections.",
    "shards": "Shards: threads that own sockets.",
    "sessions": "Connections that have connected as a user.",
    "own_file_table": "Shards with a file table of their own.",
    "accepted_total": "Connections accepted.",
    "accept_pauses_total": "Times a listener rested for want of descriptors or room.",
    "upgrades_total": "Upgrades answered with 101.",
    "refused_total": "Upgrades refused, for any reason.",
    "refused_full_total": "Of these: as many connections as there may be, or draining.",
    "refused_rate_total": "Of these: the rate of newcomers, or of what they catch up with.",
    "refused_address_total": "Of these: too many from one address.",
    "refused_memory_total": "Of these: memory runs short.",
    "tls_queued_total": "TLS handshakes that waited for their turn.",
    "memory_pressure": "1: newcomers are refused; 2: slow readers are closed; 3: nothing is read.",
    "memory_closed_total": "Readers closed because memory ran short (4003).",
    "tls_handshakes_total": "TLS handshakes that came to their end.",
    "tls_failures_total": "Lines that broke TLS, or were not TLS.",
    "received_bytes_total": "Bytes read from clients.",
    "sent_bytes_total": "Bytes written to clients.",
    "reads_total": "Reads from sockets.",
    "writes_total": "Writes to sockets.",
    "gathered_writes_total": "Writes that took several pieces of a turn together.",
    "gathered_bytes_total": "Bytes that went out in those.",
    "messages_received_total": "WebSocket messages received.",
    "frames_queued_total": "Frames queued for sending.",
    "turns_total": "Turns of the shards' loops.",
    "wakeups_total": "Turns that were waited for: wake-ups of the shards' threads.",
    "ready_total": "Sockets and bells that were reported ready to the shards.",
    "batches_total": "Batches that went to Python.",
    "read_stalls_total": "Times reading stopped because Python was behind.",
    "stale_orders_total": "Orders for connections that were gone.",
    "submit_waits_total": "Times Python waited for a shard to take what it had submitted.",
    "pings_sent_total": "Heartbeat pings sent.",
    "heartbeat_lost_total": "Connections closed for want of a heartbeat (4004).",
    "slow_readers_total": "Connections closed as slow readers (4003).",
    "volatile_dropped_total": "Volatile pushes dropped for slow readers.",
    "protocol_errors_total": "Connections closed for a violation of the protocol.",
    "panics_total": "Panics caught at a shard: bugs of ours.",
    "outbox_bytes": "Bytes that wait for slow readers.",
    "wheel_lag_ms": "How late the timer wheels were looked at, the worst since the last scrape.",
}

HISTORY: Final = {
    "history_hits_total": "Reads of newest events answered from memory.",
    "history_misses_total": "Reads of newest events that needed the database.",
    "history_bytes": "Memory for newest events.",
}

# What RocksDB knows about itself: its name for it, ours, and what it is.
STORE: Final = {
    "background-errors": ("background_errors", "Errors of flushes and compactions: must stay 0."),
    "is-write-stopped": ("is_write_stopped", "1 while writes wait for compactions."),
    "actual-delayed-write-rate": (
        "delayed_write_bytes_per_second",
        "What writes are slowed down to while compactions are behind; 0: they are not.",
    ),
    "num-running-flushes": ("flushes_running", "Flushes under way."),
    "num-running-compactions": ("compactions_running", "Compactions under way."),
    "estimate-pending-compaction-bytes": (
        "compaction_pending_bytes",
        "What compactions still have to rewrite, about.",
    ),
    "cur-size-all-mem-tables": ("memtable_bytes", "Rows in memory that are in no file yet."),
    "live-sst-files-size": ("table_bytes", "Size of the table files."),
    "block-cache-usage": ("block_cache_bytes", "Blocks of table files in memory."),
    "estimate-table-readers-mem": ("table_readers_bytes", "Memory of open table files."),
    "estimate-num-keys": ("rows", "Rows, about."),
}

HOOK_LABELS: Final = ("hook", "result")
HOOKS: Final = {
    "under_way": "Calls of the application that have not ended.",
    "waiting": "Notices that wait for the application.",
    "shards": "Shards: threads that own sockets.",
    "sessions": "Connections that the application is told the end of.",
}
PUSH: Final = {
    "users": "Users with pushes on their way who are in memory.",
    "under_way": "Requests to receivers and push services that have not ended.",
}
MEDIA: Final = {
    "media_uploads_total": "Uploads that were answered.",
    "media_refused_total": "Uploads that were refused or broke off.",
    "media_unreadable_total": "Pictures that could not be unpacked.",
    "media_pictures_killed_total": "Of these, those that took too much time or memory.",
    "media_removed_total": "Uploads taken away because nothing names them.",
    "media_under_way": "Uploads under way.",
    "media_bytes": "Bytes of all uploads together.",
}
PRESENCE: Final = {
    "watchers": "Connections that watch users.",
    "watched": "Users that they watch, summed over them.",
    "people": "Users who are watched, have just gone, or said that they are away or invisible.",
}


class Histogram:
    """Counts by bucket; `observe` costs a bisect and three additions.

    Args:
        bounds: upper bounds of the buckets, rising, in the unit of what is observed.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, count: int = 1) -> None:
        """Count `value` `count` times (a batch whose messages share one latency is one call)."""
        self.counts[bisect_left(self.bounds, value)] += count
        self.sum += value * count

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus wants them."""
        running, rows = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(repr, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, running))
        return rows


class Metrics:
    """Everything counted in Python, and where to ask the engine and the store for theirs."""

    def __init__(self) -> None:
        self.commands: Counter[tuple[str, str]] = Counter()
        self.hooks: Counter[tuple[str, str]] = Counter()
        """Calls of the application, by hook and result."""
        self.requests: Counter[tuple[str, int]] = Counter()
        """HTTP requests, by path as the document has it and status."""
        self.polls: Callable[[], int] | None = None
        self.pushes: Counter[tuple[str, str, str]] = Counter()
        """Requests for push notifications, by kind, type and result."""
        self.push: Callable[[], Mapping[str, int]] | None = None
        self.answer_seconds = Histogram(SECONDS)
        self.batch_messages = Histogram(MESSAGES)
        self.commit_seconds = Histogram(SECONDS)
        self.commit_messages = Histogram(MESSAGES)
        self.sync_seconds = Histogram(SECONDS)
        self.delivery_seconds = Histogram(SECONDS)
        self.fanout_users = Histogram(USERS)
        self.loop_lag_seconds = Histogram(SECONDS)
        self.interpreter_wait_seconds = Histogram(WAITS)
        self.connects: Counter[str] = Counter()
        """Devices that came in: `new`, `resumed` or `reset`."""
        self.pages = 0
        self.page_events = 0
        self.commits = 0
        self.puts = 0
        self.events = 0
        self.engine: Callable[[], Mapping[str, int]] | None = None
        self.store: Callable[[], Mapping[str, int]] | None = None
        self.history: Callable[[], Mapping[str, int]] | None = None
        self.application: Callable[[], Mapping[str, int]] | None = None
        self.media: Callable[[], Mapping[str, int]] | None = None
        self.presence: Callable[[], Mapping[str, int]] | None = None
        self.presence_changes = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_NodeCollector(self))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self) -> bytes:
        """All metrics in the Prometheus text format, `CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _NodeCollector(Collector):
    """Turns the counters of a `Metrics` into families at the moment of a scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        yield self._commands()
        yield self._connects()
        yield self._requests()
        yield from self._counters()
        yield from self._histograms()
        if self._metrics.engine is not None:
            yield from families_of(self._metrics.engine(), ENGINE)
        if self._metrics.polls is not None:
            polls = self._metrics.polls()
            yield GaugeMetricFamily("hivewire_http_polls", "Long polls that wait.", polls)
        if self._metrics.store is not None:
            for found, value in self._metrics.store().items():
                name, text = STORE[found]
                yield GaugeMetricFamily(f"hivewire_store_{name}", text, value)
        if self._metrics.presence is not None:
            for name, value in self._metrics.presence().items():
                yield GaugeMetricFamily(f"hivewire_presence_{name}", PRESENCE[name], value)
        yield from self._pushes()
        if self._metrics.history is not None:
            yield from families_of(self._metrics.history(), HISTORY)
        yield from self._uploads()
        if self._metrics.application is not None:
            yield self._hooks()
            for name, value in self._metrics.application().items():
                yield GaugeMetricFamily(f"hivewire_hooks_{name}", HOOKS[name], value)

    def _uploads(self) -> Iterable[Metric]:
        if self._metrics.media is not None:
            figures = self._metrics.media().items()
            yield from families_of({f"media_{name}": value for name, value in figures}, MEDIA)

    def _commands(self) -> Metric:
        family = CounterMetricFamily(
            "hivewire_commands", "Commands handled, by op and result.", labels=("op", "result")
        )
        for (op, result), count in self._metrics.commands.items():
            family.add_metric((op, result), count)
        return family

    def _connects(self) -> Metric:
        family = CounterMetricFamily(
            "hivewire_connects",
            "Devices that connected: new ones, those that resumed, those that had to start again.",
            labels=("kind",),
        )
        for kind in ("new", "resumed", "reset"):
            family.add_metric((kind,), self._metrics.connects[kind])
        return family

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "hivewire_http_requests",
            "HTTP requests, by path and status.",
            labels=("path", "status"),
        )
        for (path, status), count in self._metrics.requests.items():
            family.add_metric((path, str(status)), count)
        return family

    def _hooks(self) -> Metric:
        family = CounterMetricFamily(
            "hivewire_hooks", "Calls of the application, by hook and result.", labels=HOOK_LABELS
        )
        for (hook, result), count in self._metrics.hooks.items():
            family.add_metric((hook, result), count)
        return family

    def _pushes(self) -> Iterable[Metric]:
        if self._metrics.push is None:
            return
        family = CounterMetricFamily(
            "hivewire_pushes",
            "Requests for push notifications, by kind, type and result.",
            labels=("kind", "type", "result"),
        )
        for labels, count in self._metrics.pushes.items():
            family.add_metric(labels, count)
        yield family
        for name, value in self._metrics.push().items():
            yield GaugeMetricFamily(f"hivewire_push_{name}", PUSH[name], value)

    def _counters(self) -> Iterable[Metric]:
        metrics = self._metrics
        yield CounterMetricFamily("hivewire_commits", "Synced commits.", metrics.commits)
        yield CounterMetricFamily("hivewire_puts", "Rows written.", metrics.puts)
        yield CounterMetricFamily("hivewire_events", "Timeline events made.", metrics.events)
        yield CounterMetricFamily("hivewire_sync_pages", "Pages of timelines.", metrics.pages)
        events = metrics.page_events
        yield CounterMetricFamily("hivewire_sync_events", "Events in these pages.", events)
        changes = metrics.presence_changes
        yield CounterMetricFamily("hivewire_presence_changes", "Presence changes pushed.", changes)

    def _histograms(self) -> Iterable[Metric]:
        metrics = self._metrics
        for name, text, histogram in (
            ("answer_seconds", "From arrival to the answer's submit.", metrics.answer_seconds),
            ("batch_messages", "WebSocket messages in a batch.", metrics.batch_messages),
            ("commit_seconds", "Write and sync of a commit.", metrics.commit_seconds),
            ("sync_seconds", "The sync of a commit alone.", metrics.sync_seconds),
            ("commit_messages", "Entries in a commit.", metrics.commit_messages),
            (
                "delivery_seconds",
                "From a message's arrival to its events' submit, by event.",
                metrics.delivery_seconds,
            ),
            ("fanout_users", "Timelines that a message went into.", metrics.fanout_users),
            ("loop_lag_seconds", "How late the event loop runs.", metrics.loop_lag_seconds),
            (
                "interpreter_wait_seconds",
                "How long a thread that is awake waits for the interpreter lock.",
                metrics.interpreter_wait_seconds,
            ),
        ):
            yield HistogramMetricFamily(
                f"hivewire_{name}", text, buckets=histogram.buckets(), sum_value=histogram.sum
            )


def store_figures(property_of: Callable[[str], int | None]) -> dict[str, int]:
    """What is shown of a store, by RocksDB's names; what it does not know is left out."""
    figures = {name: property_of(name) for name in STORE}
    return {name: value for name, value in figures.items() if value is not None}


def families_of(stats: Mapping[str, int], texts: Mapping[str, str]) -> Iterable[Metric]:
    """Figures under names of ours, in base units."""
    for name, value in stats.items():
        text = texts.get(name, f"Engine: {name}.")
        if name.endswith("_total"):
            yield CounterMetricFamily(f"hivewire_{name}", text, value)
        elif name.endswith("_ms"):
            seconds = name.removesuffix("_ms") + "_seconds"
            yield GaugeMetricFamily(f"hivewire_{seconds}", text, value / 1000)
        else:
            yield GaugeMetricFamily(f"hivewire_{name}", text, value)
