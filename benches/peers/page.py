"""The page docs/peers.md: a table a work, ratios to hivewire, what the words mean."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from peers import plots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peers.plots import Results
    from peers.works import Work

HEAD: Final = """\
# Other servers on the same work

Written by `make bench-peers` (`benches/peers/`); do not edit. Every server runs on one core, its
load on another; CPU is the time of all threads of the server, user and system, by the operations of
the window: it does not depend on how fast the client is. Figures are medians of {rounds} round(s).
Less is better, except for rates. *Open sends* are messages not yet answered, all connections
together. A ratio of CPU or memory is the peer's figure by hivewire's: above 1 hivewire is
ahead, below 1 the peer is; that of rates is hivewire's (the node's where there is one) by the
peer's.

*floor* is a bare epoll program that does nothing else ([figures beside it](../benches/README.md)).
*hivewire engine* is hivewire's WebSocket layer alone, as the bare WebSocket libraries are beside
it. *hivewire node* is the product: users with tokens, sessions, storage; its fan-out is a channel.
It stands beside servers that know users and inboxes too, Mosquitto, ejabberd and NATS, which log
nobody in here and check no password. Bare WebSocket servers are driven by the Rust swarm, others
by a Python client (`benches/peers/load`), whose own limit shows as *client busy* near 1: a rate is
then the client's, CPU is still the server's.
"""
IDLE: Final = """\

How much the server grows from a fifth of the crowd to all of it. What the first ones needed once,
and what was given back after they had connected, is in neither, which flatters servers with caches,
the node before all others: its growth from 10,000 to 50,000 is
[measured by itself](../benches/README.md)."""
MESSAGES: Final = """\
## What is kept when a message is answered

| server | a message is |
|---|---|"""
MISSING: Final = """\
## Not measured

| what | why |
|---|---|"""


@dataclass(frozen=True)
class Run:
    """Everything that is told."""

    machine: dict[str, str]
    works: list[Work]
    results: Results
    missing: dict[str, str]
    keeps: dict[str, str]


def write(folder: Path, run: Run) -> None:
    """The page, and a plot for each kind of work."""
    drawn = plots.draw(folder, run.works, run.results)
    (folder / "peers.md").write_text("\n".join(lines(run, [path.name for path in drawn])) + "\n")


def lines(run: Run, drawn: list[str]) -> Iterator[str]:
    """The page line by line."""
    rounds = max((len(of) for work in run.results.values() for of in work.values()), default=0)
    yield HEAD.format(rounds=rounds)
    yield from (f"- **{name}**: {value}" for name, value in run.machine.items())
    yield ""
    yield from (f"![{name}]({name})" for name in drawn)
    for work in run.works:
        yield from _table(work, run.results[work.name])
    yield f"\n{MESSAGES}"
    yield from (f"| {name} | {what} |" for name, what in run.keeps.items())
    if run.missing:
        yield f"\n{MISSING}"
        yield from (f"| {name} | {' '.join(why.split())} |" for name, why in run.missing.items())


def middle(samples: list[dict[str, Any]], key: str = "value") -> float | None:
    """The median of the rounds; None where it was not measured."""
    values = [sample[key] for sample in samples if key in sample]
    return median(values) if values else None


def ratio(other: list[dict[str, Any]], own: list[dict[str, Any]], key: str) -> str:
    """The median of the rounds' ratios."""
    both = list(zip(other, own, strict=False))
    values = [a[key] / b[key] for a, b in both if a.get(key) and b.get(key)]
    return f"{median(values):.2f}" if values else "-"


def _table(work: Work, results: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    rates = any("rate" in sample for samples in results.values() for sample in samples)
    memory = work.kind == "idle"
    yield f"\n## {work.title[0].upper()}{work.title[1:]}\n"
    own = [name for name in ("hivewire engine", "hivewire node") if name in results]
    columns = ["server", f"{'RSS' if memory else 'CPU'}, {work.unit}"]
    columns += [f"by {name}" for name in own]
    columns += ["PSS, bytes"] if memory else []
    if rates:
        columns += ["operations/s", "hivewire's rate by it", "server, client busy"]
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for name, samples in results.items():
        cells = [name, _number(middle(samples))]
        cells += [ratio(samples, results[other], "value") for other in own]
        cells += [_number(middle(samples, "pss"))] if memory else []
        if rates:
            busy = [_number(middle(samples, key)) for key in ("server_busy", "client_busy")]
            ahead = ratio(results[own[-1]], samples, "rate") if own else "-"
            cells += [_number(middle(samples, "rate")), ahead, ", ".join(busy)]
        yield f"| {' | '.join(cells)} |"
    if memory:
        yield IDLE


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
