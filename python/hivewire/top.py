"""`hivewire top`: a node's figures in a terminal, from its `/metrics`, renewed every second."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

TIMEOUT_SECONDS: Final = 5.0
SHOWN_COMMANDS: Final = 12


class Unreachable(Exception):
    """The node gave no figures; the text says why."""


@dataclass
class Figures:
    """One scrape: values by name, or by name and labels, and histograms as counts by bound."""

    at: float
    """Seconds of a clock that only goes forward."""
    values: dict[str, float] = field(default_factory=dict[str, float])
    """By name; a name with labels is the sum over them."""
    commands: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """`hivewire_commands_total` by op and result."""
    buckets: dict[str, dict[float, float]] = field(default_factory=dict[str, dict[float, float]])
    """Cumulative counts of each histogram."""

    @classmethod
    def parse(cls, text: str, at: float) -> Figures:
        """Read the Prometheus text format."""
        figures = cls(at)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix("hivewire_")
                if sample.name.endswith("_bucket"):
                    bounds = figures.buckets.setdefault(name.removesuffix("_bucket"), {})
                    bounds[float(sample.labels["le"])] = sample.value
                    continue
                figures.values[name] = figures.values.get(name, 0.0) + sample.value
                if name == "commands_total":
                    place = sample.labels["op"], sample.labels["result"]
                    figures.commands[place] = sample.value
        return figures


class Row(NamedTuple):
    """What a line says."""

    label: str
    value: str
    is_bad: bool = False


class Look:
    """Two scrapes one after the other: what is there, and what happened in between."""

    def __init__(self, before: Figures, now: Figures) -> None:
        self._before = before
        self._now = now
        self._seconds = max(now.at - before.at, 0.001)

    def level(self, name: str) -> float:
        """A gauge, 0 where there is none."""
        return self._now.values.get(name, 0.0)

    def rate(self, name: str) -> float:
        """What a counter grew by in a second."""
        return max(0.0, self.level(name) - self._before.values.get(name, 0.0)) / self._seconds

    def quantile(self, name: str, share: float) -> float | None:
        """The bound of a histogram below which `share` of what was observed lies, if any was."""
        before = self._before.buckets.get(name, {})
        counts = {
            bound: count - before.get(bound, 0.0)
            for bound, count in self._now.buckets.get(name, {}).items()
        }
        total = max(counts.values(), default=0.0)
        if total <= 0:
            return None
        return next(bound for bound, count in sorted(counts.items()) if count >= share * total)

    def commands(self) -> list[tuple[str, str, float]]:
        """Ops with their results and rates, the most frequent first."""
        earlier = self._before.commands
        rates = [
            (op, result, max(0.0, count - earlier.get((op, result), 0.0)) / self._seconds)
            for (op, result), count in self._now.commands.items()
        ]
        return sorted(rates, key=lambda row: (-row[2], row[0], row[1]))[:SHOWN_COMMANDS]

    def sections(self) -> Iterator[tuple[str, list[Row]]]:
        """The tables: a title, and its lines."""
        lost = self.rate("heartbeat_lost_total")
        yield (
            "connections",
            [
                Row("open", number(self.level("connections"))),
                Row("connected as a user", number(self.level("sessions"))),
                Row("upgrades", per_second(self.rate("upgrades_total"))),
                Row("refused", *self._bad_rate("refused_total")),
                Row("lost heartbeats", per_second(lost)),
                Row("slow readers closed", *self._bad_rate("slow_readers_total")),
                Row("outboxes", size(self.level("outbox_bytes"))),
            ],
        )
        yield (
            "traffic",
            [
                Row("messages in", per_second(self.rate("messages_received_total"))),
                Row("frames out", per_second(self.rate("frames_queued_total"))),
                Row("bytes in", size(self.rate("received_bytes_total")) + "/s"),
                Row("bytes out", size(self.rate("sent_bytes_total")) + "/s"),
                Row("timeline events", per_second(self.rate("events_total"))),
                Row("answer p50 · p99", self._quantiles("answer_seconds")),
                Row("delivery p50 · p99", self._quantiles("delivery_seconds")),
            ],
        )
        yield (
            "node",
            [
                Row("commits", per_second(self.rate("commits_total"))),
                Row("sync p50 · p99", self._quantiles("sync_seconds")),
                Row("loop lag p50 · p99", self._quantiles("loop_lag_seconds")),
                Row("lock wait p50 · p99", self._quantiles("interpreter_wait_seconds")),
                Row("wheel lag", seconds(self.level("wheel_lag_seconds"))),
                Row("cpu", f"{100 * self.rate('process_cpu_seconds_total'):.0f} %"),
                Row("memory", size(self.level("process_resident_memory_bytes"))),
            ],
        )

    def _bad_rate(self, name: str) -> tuple[str, bool]:
        return per_second(self.rate(name)), self.rate(name) > 0

    def _quantiles(self, name: str) -> str:
        return f"{seconds(self.quantile(name, 0.5))} · {seconds(self.quantile(name, 0.99))}"


def number(value: float) -> str:
    """A count."""
    return f"{value:,.0f}"


def per_second(value: float) -> str:
    """A rate: small ones with a decimal."""
    return f"{value:,.1f}/s" if value < 10 else f"{value:,.0f}/s"


def size(value: float) -> str:
    """Bytes in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def seconds(value: float | None) -> str:
    """A duration; the bound of a histogram's bucket is an upper bound."""
    if value is None:
        return "-"
    if value == float("inf"):
        return "> 10 s"
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def picture(look: Look, url: str) -> RenderableType:
    """The whole screen."""
    tables = Table.grid(padding=(0, 3))
    cells: list[RenderableType] = []
    for title, rows in look.sections():
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for row in rows:
            table.add_row(row.label, Text(row.value, style="bold red" if row.is_bad else "bold"))
        cells.append(table)
    tables.add_row(*cells)
    commands = Table(title="commands", title_justify="left", box=None)
    for name in ("op", "result"):
        commands.add_column(name)
    commands.add_column("a second", justify="right")
    for op, result, rate in look.commands():
        commands.add_row(op, result, f"{rate:,.1f}", style=None if result == "ok" else "yellow")
    return Group(Text(f"hivewire top · {url}", style="bold"), tables, commands)


def watch(url: str, interval: float, rounds: int | None, console: Console) -> None:
    """Show a node until interrupted, or for so many rounds.

    Args:
        url: The api listener's.
        interval: Seconds between two looks.
        rounds: None: for ever.
        console: Where to.

    Raises:
        Unreachable: The node gives no figures.
    """
    with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as client:
        before = scrape(client)
        live = Live(console=console, auto_refresh=False, screen=console.is_terminal)
        with live:
            for _ in _rounds(rounds):
                time.sleep(interval)
                now = scrape(client)
                live.update(picture(Look(before, now), url), refresh=True)
                before = now


def scrape(client: httpx.Client, clock: Callable[[], float] = time.monotonic) -> Figures:
    """One look. Raises Unreachable."""
    try:
        answer = client.get("/metrics")
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unreachable(f"{client.base_url}: {error}") from error
    return Figures.parse(answer.text, clock())


def _rounds(count: int | None) -> Iterator[int]:
    done = 0
    while count is None or done < count:
        yield done
        done += 1
