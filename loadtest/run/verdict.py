"""Passed or failed: every criterion with what was wanted and what was found; the report."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from loadtest.fleet.histogram import Buckets, percentile

if TYPE_CHECKING:
    from argparse import Namespace

    from loadtest.run.run import Phase, Run

HOLD: Final = "hold"
"""The phase in which speed is judged: all are there, nobody is cut."""
STEADY_HOLDS: Final = 8
"""So many holds are a soak: its second half must be flat."""
MORE_FILES: Final = 200
"""RocksDB's files come and go: as many as its levels hold, not one for each minute of writes."""
PROMISES: Final = {
    "lost": "events that never came",
    "twice": "events that came twice",
    "order": "events out of order",
    "wrong": "places at which clients saw different things",
    "unanswered": "sends without an answer",
    "absent": "clients not there in the end",
    "presence": "people who do not show as online in the end",
    "reset": "timelines that began anew",
}
SHOWN: Final = (
    "connect",
    "come back",
    "answer",
    "delivery",
    "sync",
    "watch",
    "open",
    "group.create",
)


@dataclass(frozen=True)
class Criterion:
    """One line of the verdict."""

    name: str
    wanted: str
    found: str
    met: bool


@dataclass
class Verdict:
    """All criteria, and the figures that the report shows beside them."""

    criteria: list[Criterion] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all criteria are met."""
        return all(criterion.met for criterion in self.criteria)

    def at_most(self, name: str, found: float, limit: float, unit: str) -> None:
        """Add a criterion: not more than this."""
        words = f"{found:,.0f}" if found >= 100 or found == int(found) else f"{found:.3g}"
        wanted = f"≤ {limit:g} {unit}".strip()
        self.criteria.append(Criterion(name, wanted, f"{words} {unit}".strip(), met=found <= limit))

    def at_least(self, name: str, found: int, least: int) -> None:
        """Add a criterion: not fewer than this."""
        self.criteria.append(Criterion(name, f"≥ {least:,}", f"{found:,}", met=found >= least))

    def tell(self, path: str) -> None:
        """Print it, and write `path`.md and `path`.json if there is a path."""
        text = self.markdown()
        print(text)
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(f"{path}.md").write_text(text)
            told = {
                "passed": self.passed,
                "criteria": [vars(criterion) for criterion in self.criteria],
                "figures": self.figures,
                "examples": self.examples,
            }
            Path(f"{path}.json").write_text(json.dumps(told, indent=1))

    def markdown(self) -> str:
        """The report as a page."""
        lines = [f"# Load: {'passed' if self.passed else 'FAILED'}", ""]
        lines += ["| | criterion | wanted | found |", "|---|---|---|---|"]
        lines += [
            f"| {'✓' if c.met else '✗'} | {c.name} | {c.wanted} | {c.found} |"
            for c in self.criteria
        ]
        lines += ["", "| figure | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in self.figures.items()]
        if self.examples:
            lines += ["", "## What was broken, the first of it", ""]
            lines += [f"- {words}" for words in self.examples]
        return "\n".join(lines) + "\n"


def judge(run: Run) -> Verdict:
    """Hold a run that has ended against its criteria."""
    verdict = Verdict(examples=run.crews.books.examples[:20])
    if run.crash is not None:
        verdict.criteria.append(Criterion("the run went through", "yes", run.crash, met=False))
    _promises(verdict, run)
    _presence(verdict, run)
    holds = [phase for phase in run.phases if phase.name == HOLD] or run.phases[:1]
    hold = holds[-1]
    _speed(verdict, run, hold)
    _needs(verdict, run, hold)
    if len(holds) > 1 and run.api is not None:
        _growth(verdict, run, holds)
    _generator(verdict, run, hold)
    _figures(verdict, run)
    if run.node is not None and hold.standing:
        kernel = (hold.kernel - run.kernel_at_rest) / hold.standing / 1024
        verdict.figures["kernel memory, both ends"] = f"{kernel:.1f} KiB a connection"
    return verdict


def _promises(verdict: Verdict, run: Run) -> None:
    counts = run.crews.books.counts
    for kind, name in PROMISES.items():
        verdict.at_most(name, counts[f"fault {kind}"], 0, "")
    failures = run.crews.books.failures
    words = (
        "; ".join(f"{name}: {why} {n} times" for (name, why), n in failures.most_common(3)) or "0"
    )
    verdict.criteria.append(Criterion("refusals, lines that broke", "0", words, met=not failures))
    verdict.at_least("answered sends", counts["answered"], run.options.min_answered)
    verdict.at_least("deliveries", counts["delivered"], run.options.min_answered)


def _presence(verdict: Verdict, run: Run) -> None:
    settled = next((p for p in run.phases if p.name == "settle"), run.phases[-1])
    most = max(phase.wanted for phase in run.phases)
    verdict.at_least("clients that came", most, run.options.connections)
    verdict.at_least("connected in the end", settled.standing, settled.wanted)
    silent = max(phase.silent for phase in run.phases)
    verdict.at_most("clients that missed a heartbeat", silent, 0, "")
    for seconds in run.comebacks:
        verdict.at_most("until all who were cut are back", seconds, run.options.max_comeback, "s")
    if run.drained is not None:
        status, seconds = run.drained
        verdict.at_most("drain: exit status", abs(status), 0, "")
        verdict.at_most("drain: seconds", seconds, 30, "s")
        told = run.crews.books.counts["byes"]
        verdict.at_least("drain: clients told when to come back", told, settled.standing)


def _speed(verdict: Verdict, run: Run, hold: Phase) -> None:
    limits: dict[str, float] = {
        "answer": run.options.max_answer_p99,
        "delivery": run.options.max_delivery_p99,
    }
    for name, limit in limits.items():
        buckets = run.crews.books.samples.get((hold.name, name), Counter())
        verdict.at_most(f"{name} p99", percentile(buckets, 0.99) / 1000, limit, "ms")


def _needs(verdict: Verdict, run: Run, hold: Phase) -> None:
    if run.api is None or not hold.standing:
        return
    memory = (hold.ended.resident - run.at_rest.resident) / hold.standing / 1024
    seconds = max(hold.ended.at - hold.began.at, 1e-9)
    cpu = 100 * (hold.ended.cpu - hold.began.cpu) / seconds / (os.cpu_count() or 1)
    options: Namespace = run.options
    verdict.at_most("node: memory a connection", memory, options.max_node_memory, "KiB")
    verdict.at_most("node: CPU, of all cores", cpu, options.max_node_cpu, "%")


def _growth(verdict: Verdict, run: Run, holds: list[Phase]) -> None:
    """Memory and descriptors stay flat: in a soak from its middle on, when the caches are full."""
    soak = len(holds) >= STEADY_HOLDS
    first, last = holds[len(holds) // 2 if soak else 0], holds[-1]
    growth = last.ended.resident / max(first.ended.resident, 1)
    wanted = run.options.max_steady_growth if soak else run.options.max_growth
    since = "the middle one" if soak else "first"
    verdict.at_most(f"node: memory, last hold to {since}", growth, wanted, "times")
    if soak:
        memory = " ".join(f"{hold.ended.resident / 2**20:.0f}" for hold in holds)
        verdict.figures["node: MiB at the end of each hold"] = memory
    if first.files:
        more = (last.files - last.standing) - (first.files - first.standing)
        verdict.at_most("node: open files besides connections, more", more, MORE_FILES, "")
        verdict.figures["node: open files, each hold"] = " ".join(str(hold.files) for hold in holds)


def _generator(verdict: Verdict, run: Run, hold: Phase) -> None:
    lag = run.crews.books.samples.get((hold.name, "loop lag"), Counter())
    share = 100 * hold.crew_share
    verdict.at_most(
        "generator: lag p99", percentile(lag, 0.99) / 1000, run.options.max_lag_p99, "ms"
    )
    verdict.at_most("generator: busiest, of a core", share, run.options.max_crew_cpu, "%")


def _figures(verdict: Verdict, run: Run) -> None:
    figures, crews = verdict.figures, run.crews
    figures["machine"] = f"{os.cpu_count()} cores, Linux {platform.release()}"
    figures["fleets, processes"] = f"{run.fleets()}, {len(crews.all)}"
    figures |= {f"phase {phase.name}": _stretch(phase) for phase in run.phases}
    for (phase_name, name), buckets in sorted(crews.books.samples.items()):
        if name in SHOWN:
            figures[f"{name}, {phase_name}"] = _line(buckets)
    for name, count in sorted(crews.books.counts.items()):
        figures[name] = f"{count:,}"
    clients = max(crews.wanted(), 1)
    resident = sum(crew.resident for crew in crews.all)
    figures["generator memory"] = (
        f"{resident / 2**20:,.0f} MiB, {resident / clients / 1024:.1f} KiB a client"
    )


def _stretch(phase: Phase) -> str:
    seconds = max(phase.ended.at - phase.began.at, 1e-9)
    words = (
        f"{seconds:.1f} s, {phase.standing:,} connected, generator {phase.crew_share:.0%} of a core"
    )
    if phase.ended.cpu:
        share = (phase.ended.cpu - phase.began.cpu) / seconds
        words += f", node {share:.0%} of a core, {phase.ended.resident / 2**20:,.0f} MiB"
    return words


def _line(buckets: Buckets) -> str:
    p50, p99 = (percentile(buckets, share) / 1000 for share in (0.5, 0.99))
    return f"{buckets.total():,} times, p50 {p50:.2f} ms, p99 {p99:.2f} ms"
