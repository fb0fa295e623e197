"""Turn rounds of samples into benches/README.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from figures import Figure, Sample

INTRODUCTION: Final = """\
# Benchmarks

Written by `make bench` (`benches/run.py`); do not edit. Every figure stands beside a *floor*, a
bare epoll program in [`floor/`](floor/src/main.rs) measured in the same run: absolute numbers move
with the machine, ratios are what counts. The server has core 0, the client
([`hivewire-swarm`](../loadtest/swarm/README.md)) core 1. Rounds take floor and hivewire in turn;
the table shows medians, and in brackets the lowest and highest round; a ratio is the median of the
rounds' ratios.

CPU is the time of all threads of the server process (`/proc/PID/task/*/schedstat`: user and system,
in nanoseconds) over the measured window, after warming up, divided by the operations of the window.
A send over loopback carries the receiver's share of TCP as well, for floor and hivewire alike.
"""
MESSAGES_HEAD: Final = """\
## Messages: latency, syncs, puts

Medians of the rounds. Latency is the client's: from the send to its answer, and to its delivery.

| figure | server | messages/s | answer p50 / p99 ms | delivery p50 / p99 ms \
| syncs a message | puts a message | server, client core busy |
|---|---|---|---|---|---|---|---|"""
COMMANDS_HEAD: Final = """\
## Commands

Everything that was run, `DIR` being a scratch directory; the swarm also gets `--server` and
`--server-pid`.
"""
TIMES: Final = " ×"  # noqa: RUF001


@dataclass
class Rounds:
    """The samples of one figure."""

    figure: Figure
    floor: list[Sample] = field(default_factory=list["Sample"])
    node: list[Sample] = field(default_factory=list["Sample"])

    def judged(self) -> float | None:
        """The number that bound and goal are about; `None` without both sides.

        A ratio is the median of the rounds' ratios: what disturbs the machine for a minute then
        disturbs both sides of one round, not one side of the figure.
        """
        if self.figure.absolute:
            values = [sample.value for sample in self.node]
        else:
            pairs = zip(self.node, self.floor, strict=False)
            values = [node.value / floor.value for node, floor in pairs]
        return median(values) if values else None

    def verdict(self) -> str:
        """`goal`, `bound` or **no**."""
        judged = self.judged()
        if judged is None:
            return "not measured"
        for word, limit in (("goal", self.figure.goal), ("bound", self.figure.bound)):
            if judged >= limit if self.figure.more_is_better else judged <= limit:
                return word
        return "**no**"


def page(
    machine: Mapping[str, str],
    rounds: Iterable[Rounds],
    commands: Iterable[str],
    sections: Iterable[str],
) -> str:
    """The whole of benches/README.md."""
    rounds = list(rounds)
    parts = [INTRODUCTION, _machine(machine), _figures(rounds), _messages(rounds)]
    parts += [*sections, _commands(commands)]
    return "\n".join(part for part in parts if part)


def _machine(machine: Mapping[str, str]) -> str:
    return "".join(f"- **{name}**: {value}\n" for name, value in machine.items())


def _figures(rounds: list[Rounds]) -> str:
    rows = [
        "## Figures\n",
        "| figure | unit | floor | hivewire | ratio | bound | goal | reached |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in rounds:
        figure, judged = one.figure, one.judged()
        sign = "≥" if figure.more_is_better else "≤"
        times = "" if figure.absolute else TIMES
        ratio = "-" if judged is None or figure.absolute else f"{judged:.2f}{TIMES}"
        cells = [
            *(figure.title, figure.unit, _spread(one.floor), _spread(one.node), ratio),
            *(f"{sign} {figure.bound:g}{times}", f"{sign} {figure.goal:g}{times}", one.verdict()),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _spread(samples: list[Sample]) -> str:
    if not samples:
        return "-"
    values = sorted(sample.value for sample in samples)
    return f"{number(median(values))} ({number(values[0])}-{number(values[-1])})"


def number(value: float) -> str:
    """Three figures, thousands apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _messages(rounds: list[Rounds]) -> str:
    """Latency, syncs and puts of the message figures."""
    chosen = [one for one in rounds if one.figure.name.startswith("messages")]
    rows = list[str]()
    for one in chosen:
        sides = ((one.floor, "relay floor"), (one.node, "hivewire"))
        rows += [_message_row(one.figure.name, side, all_) for all_, side in sides if all_]
    if not rows:
        return ""
    return "\n".join([MESSAGES_HEAD, *rows]) + "\n"


def _message_row(name: str, side: str, samples: list[Sample]) -> str:
    def of(*path: str) -> float | None:
        found = [_at(sample.seen, path) for sample in samples]
        values = [value for value in found if value is not None]
        return median(values) if values else None

    def ms(kind: str) -> str:
        pair = (of("latency_us", kind, "p50"), of("latency_us", kind, "p99"))
        return " / ".join(_or_dash(None if us is None else us / 1000) for us in pair)

    cells = [
        *(name, side, _or_dash(of("load", "operations_per_second")), ms("answer"), ms("delivery")),
        *(_or_dash(of("per_message", "syncs")), _or_dash(of("per_message", "puts"))),
        f"{_or_dash(of('load', 'server_busy'))}, {_or_dash(of('load', 'client_busy'))}",
    ]
    return f"| {' | '.join(cells)} |"


def _at(seen: Mapping[str, Any], path: Iterable[str]) -> float | None:
    value: Any = seen
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _or_dash(value: float | None) -> str:
    return "-" if value is None else number(value)


def _commands(commands: Iterable[str]) -> str:
    return "\n".join([COMMANDS_HEAD, "```sh", *commands, "```"]) + "\n"
