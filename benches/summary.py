"""Turn rounds of samples into benches/README.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from figure import Figure, Sample

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

Medians of the rounds. Latency is the client's: from the send to its answer, and to its delivery
(in groups to each member, in channels to the last reader). In groups and channels an operation is a
delivery.

| figure | server | operations/s | answer p50 / p99 ms | delivery p50 / p99 ms \
| syncs a message | puts a message | server, client core busy |
|---|---|---|---|---|---|---|---|"""
AWAY_HEAD: Final = """\
## Users who come back, devices that flap

Medians of the rounds.

| figure | what | |
|---|---|---|"""
AWAY_ROWS: Final = (
    ("sync", "events/s, all users together", ("load", "operations_per_second"), 1),
    ("sync", "seconds until the last one is live", ("load", "seconds"), 1),
    ("sync", "a page of 500, p50, ms", ("latency_us", "page", "p50"), 1e-3),
    ("comeback", "seconds until the last one is live", ("ramp", "seconds"), 1),
    ("comeback", "users live per second", ("ramp", "connections_per_second"), 1),
    ("comeback", "from the first packet to live, p50, s", ("ramp", "latency_us", "p50"), 1e-6),
    ("comeback", "the same, p99, s", ("ramp", "latency_us", "p99"), 1e-6),
    ("flap", "times that a device came back", ("counts", "returns"), 1),
    ("flap", "presence changes pushed while they flap", ("counts", "changes_while_flapping"), 1),
    ("flap", "changes pushed when all have left", ("counts", "changes_of_leaving"), 1),
    ("flap", "pushes that carried them", ("counts", "pushes_of_leaving"), 1),
    ("flap", "seconds until everybody was told", ("load", "finish_seconds"), 1),
)
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
        if self.figure.absolute or self.figure.floor is None:
            values = [sample.value for sample in self.node]
        else:
            pairs = zip(self.node, self.floor, strict=False)
            values = [node.value / floor.value for node, floor in pairs]
        return median(values) if values else None

    def verdict(self) -> str:
        """`goal`, `bound` or **no**; `told` where nothing is asked for."""
        judged = self.judged()
        if judged is None:
            return "not measured"
        limits = (("goal", self.figure.goal), ("bound", self.figure.bound))
        asked = [(word, limit) for word, limit in limits if limit is not None]
        if not asked:
            return "told"
        for word, limit in asked:
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
    parts = [INTRODUCTION, _machine(machine), _figures(rounds), _messages(rounds), _away(rounds)]
    parts += [*sections, _commands(commands)]
    return "\n".join(part for part in parts if part)


def _machine(machine: Mapping[str, str]) -> str:
    return "".join(f"- **{name}**: {value}\n" for name, value in machine.items())


def _figures(rounds: list[Rounds]) -> str:
    rows = [
        "## Figures\n",
        "| figure | unit | floor | hivewire | ratio | bound | goal | reached | rounds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in rounds:
        figure, judged = one.figure, one.judged()
        absolute = figure.absolute or figure.floor is None
        ratio = "-" if judged is None or absolute else f"{judged:.2f}{TIMES}"
        cells = [
            *(figure.title, figure.unit, _spread(one.floor), _spread(one.node), ratio),
            *(_limit(figure, figure.bound), _limit(figure, figure.goal), one.verdict()),
            str(len(one.node)),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _limit(figure: Figure, limit: float | None) -> str:
    if limit is None:
        return "-"
    sign = "≥" if figure.more_is_better else "≤"
    return f"{sign} {limit:g}{'' if figure.absolute or figure.floor is None else TIMES}"


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
    """Latency, syncs and puts of the figures in which messages are sent."""
    rows = list[str]()
    for one in rounds:
        sides = ((one.floor, "relay floor"), (one.node, "hivewire"))
        rows += [_message_row(one.figure.name, side, all_) for all_, side in sides if _sends(all_)]
    if not rows:
        return ""
    return "\n".join([MESSAGES_HEAD, *rows]) + "\n"


def _sends(samples: list[Sample]) -> bool:
    return bool(samples) and _median(samples, "latency_us", "answer", "p50") is not None


def _message_row(name: str, side: str, samples: list[Sample]) -> str:
    def ms(*kinds: str) -> str:
        kind = next((kind for kind in kinds if _median(samples, "latency_us", kind, "p50")), "")
        pair = [_median(samples, "latency_us", kind, at) for at in ("p50", "p99")]
        return " / ".join(_or_dash(None if us is None else us / 1000) for us in pair)

    def of(*path: str) -> str:
        return _or_dash(_median(samples, *path))

    cells = [
        *(name, side, of("load", "operations_per_second"), ms("answer")),
        *(ms("delivery", "everywhere"), of("per_message", "syncs"), of("per_message", "puts")),
        f"{of('load', 'server_busy')}, {of('load', 'client_busy')}",
    ]
    return f"| {' | '.join(cells)} |"


def _away(rounds: list[Rounds]) -> str:
    """What else is worth knowing of users who were away, and of presence."""
    by_name = {one.figure.name: one for one in rounds}
    rows = list[str]()
    for name, what, path, scale in AWAY_ROWS:
        if name in by_name:
            value = _median(by_name[name].node, *path)
            rows.append(
                f"| {name} | {what} | {_or_dash(None if value is None else value * scale)} |"
            )
    return "\n".join([AWAY_HEAD, *rows]) + "\n" if rows else ""


def _median(samples: list[Sample], *path: str) -> float | None:
    """Of what was seen under this path; `None` where nothing was."""
    found = [_at(sample.seen, path) for sample in samples]
    values = [value for value in found if value is not None]
    return median(values) if values else None


def _at(seen: Mapping[str, Any], path: Iterable[str]) -> float | None:
    value: Any = seen
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _or_dash(value: float | None) -> str:
    return "-" if value is None else number(value)


def _commands(commands: Iterable[str]) -> str:
    return "\n".join([COMMANDS_HEAD, "```sh", *commands, "```"]) + "\n"
