"""`make storm`: all clients of a node are cut off at once and come back; everybody else chats on.

Clients come back as good ones do: full jitter, tickets, `Retry-After` honoured. Judged: all are
back in time, the node's memory, and what the others' messages took before and meanwhile. Writes
`reports/storm.md` and `.json`. Exit status: 0 all criteria kept, 1 not, 2 it could not run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import machine
import memory_kinds
from figure import fresh
from hivewire.config.admission import Admission
from processes import BenchError, Tools, await_line

if TYPE_CHECKING:
    from processes import Server

MIB: Final = 1 << 20
RAMP_SECONDS: Final = 300.0
FEWEST_SAMPLES: Final = 200
SAMPLE_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Plan:
    """A storm and its criteria."""

    connections: int
    others: int
    per_second: float
    back_seconds: float
    memory_times: float
    p99_times: float
    settings: dict[str, str]
    settle: float = 8.0
    """The others are there before the cut: seconds for them to come in …"""
    before: float = 20.0
    """… and to see what is normal."""
    after: float = 10.0

    @property
    def within(self) -> int:
        """How long the swarm waits for everybody: longer than it may take, to see how long."""
        return int(2 * self.back_seconds)


@dataclass
class Seen:
    """What was seen of a storm."""

    storm: dict[str, Any]
    others: dict[str, Any]
    memory_before: int
    memory_peak: int
    before_ms: dict[str, float]
    during_ms: dict[str, float]
    by_second: list[dict[str, float]]
    """The others' times from the cut on, second by second, until the last is back."""

    def times(self) -> dict[str, float]:
        """What is judged: seconds, and ratios to what was before."""
        back = self.storm["latency_us"]["back"]
        return {
            "back": back["max"] / 1e6,
            "memory": self.memory_peak / self.memory_before,
            "p99": self.during_ms["p99"] / self.before_ms["p99"],
        }


def run(tools: Tools, plan: Plan) -> Seen:
    """One storm. Raises BenchError where it cannot be had."""
    trace = tools.work / "others.trace"
    settings = {
        "LIMITS__MAX_CONNECTIONS": str(plan.connections + plan.others + 5_000),
        # Who gets in when is what is judged here.
        "ADMISSION__CONNECTS_PER_SECOND": str(Admission().connects_per_second),
    }
    with tools.serve_node(fresh(tools.work / "data"), **(settings | plan.settings)) as server:
        warm = plan.settle + plan.before
        words = ["storm", "-n", str(plan.connections), "--first", str(plan.others)]
        words += ["--warm", str(warm), "--back-within", str(plan.within)]
        with tools.swarm_holding(server, *words, nice=10) as storm:
            await_sessions(server, plan.connections)
            chat = ["calm", "-n", str(plan.others), "--per-second", str(plan.per_second)]
            # The newcomers before them have left little of the burst.
            chat += ["--rate", "1000", "--warm", "0", "--trace", str(trace)]
            chat += ["--seconds", str(warm + plan.back_seconds + plan.after)]
            with tools.swarm_holding(server, *chat) as others:
                await_line(storm.stdout, "cut", RAMP_SECONDS)
                cut_ms = time.time() * 1000
                before = memory_kinds.resident(server.pid)
                watch = Watch(server.pid)
                storm_result = last_object(storm.communicate(timeout=plan.within + 60)[0])
                # What the others write fills memtables for as long as they are let.
                peak = watch.end()
                others_result = last_object(others.communicate(timeout=plan.within + 60)[0])
    end_ms = cut_ms + storm_result["latency_us"]["back"]["max"] / 1000
    sends = read_trace(trace)
    return Seen(
        storm=storm_result,
        others=others_result,
        memory_before=before,
        memory_peak=max(peak, before),
        before_ms=spread(sends, cut_ms - plan.before * 1000, cut_ms),
        during_ms=spread(sends, cut_ms, max(end_ms, cut_ms + 1000)),
        by_second=seconds(sends, cut_ms, end_ms),
    )


def await_sessions(server: Server, count: int) -> None:
    """Until so many are connected."""
    deadline = time.monotonic() + RAMP_SECONDS
    while server.metrics()["hivewire_sessions"] < count:
        if time.monotonic() > deadline:
            raise BenchError(f"{count} are not connected after {RAMP_SECONDS:.0f} s")
        time.sleep(0.25)


class Watch:
    """The most resident memory of a process, looked at many times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, memory_kinds.resident(self._pid))

    def end(self) -> int:
        """The peak, in bytes."""
        self._over.set()
        self._thread.join()
        return self._peak


def last_object(stdout: str) -> dict[str, Any]:
    """What a swarm printed at its end."""
    lines = stdout.splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise BenchError("a swarm ended early; see its log")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def read_trace(path: Path) -> list[tuple[float, float]]:
    """Deliveries: when each was sent (ms since the epoch), milliseconds it took."""
    rows = (line.split() for line in path.read_text().splitlines())
    return [(float(sent), float(took) / 1000) for sent, took in rows]


def spread(
    sends: list[tuple[float, float]], start: float, end: float, fewest: int = FEWEST_SAMPLES
) -> dict[str, float]:
    """Percentiles of what was sent in a span of time."""
    times = sorted(took for sent, took in sends if start <= sent < end)
    if len(times) < fewest:
        raise BenchError(f"only {len(times)} messages of others in {(end - start) / 1000:.1f} s")
    at = {f"p{p}": times[min(len(times) - 1, len(times) * p // 100)] for p in (50, 90, 99)}
    return {**at, "max": times[-1], "count": float(len(times))}


def seconds(sends: list[tuple[float, float]], start: float, end: float) -> list[dict[str, float]]:
    """Percentiles of each second of a span."""
    starts = range(int(max(end - start, 1000) / 1000))
    return [spread(sends, start + 1000 * at, start + 1000 * (at + 1), fewest=1) for at in starts]


def verdict(plan: Plan, seen: Seen) -> list[str]:
    """The criteria that were not kept."""
    times = seen.times()
    limits = {"back": plan.back_seconds, "memory": plan.memory_times, "p99": plan.p99_times}
    wrong = [
        f"{name}: {times[name]:.2f}, not {limit:g} or less"
        for name, limit in limits.items()
        if times[name] > limit
    ]
    for who, result in (("storm", seen.storm), ("others", seen.others)):
        wrong += [f"{who}: {what}: {count}" for what, count in result["faults"].items()]
    return wrong


def page(plan: Plan, seen: Seen, about: dict[str, str]) -> str:
    """The report as Markdown."""
    times, wrong = seen.times(), verdict(plan, seen)
    back, counts = seen.storm["latency_us"]["back"], seen.storm["counts"]
    normal, meanwhile = seen.before_ms, seen.during_ms
    rows = [
        ("cut off at once", f"{plan.connections:,}"),
        ("back after, s: p50 / p99 / last", _three(back, 1e6)),
        ("by ticket / by token", f"{counts['back_by_ticket']:,} / {counts['back_by_token']:,}"),
        ("503 on the way, answered by waiting", f"{counts['refused_503']:,}"),
        ("waited 10 s for an upgrade and began anew", f"{counts['timed_out']:,}"),
        ("broken on the way", f"{counts['broken']:,}"),
        ("the node's CPU a return, µs", f"{seen.storm['load']['server_cpu_us_per_operation']:.0f}"),
        ("the node's memory before / at most, MiB", _memory(seen)),
        ("memory, times", f"{times['memory']:.2f} (≤ {plan.memory_times:g})"),
        ("others: messages a second", f"{plan.per_second:g}"),
        ("others before, ms: p50 / p99 / max", _three(normal, 1)),
        ("others meanwhile, ms: p50 / p99 / max", _three(meanwhile, 1)),
        ("p99, times", f"{times['p99']:.2f} (≤ {plan.p99_times:g})"),
    ]
    return "\n".join(
        [
            f"# {plan.connections:,} clients come back at once",
            "",
            *(f"- {name}: {value}" for name, value in about.items()),
            f"- verdict: {'; '.join(wrong) or 'all criteria kept'}",
            "",
            "| what | figure |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            "| second after the cut | others, ms: p50 / p99 / max |",
            "|---|---|",
            *(f"| {at + 1} | {_three(times, 1)} |" for at, times in enumerate(seen.by_second)),
            "",
        ]
    )


def _three(times: dict[str, float], per: float) -> str:
    return " / ".join(f"{times[at] / per:.2f}" for at in ("p50", "p99", "max"))


def _memory(seen: Seen) -> str:
    return f"{seen.memory_before / MIB:.0f} / {seen.memory_peak / MIB:.0f}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--connections", type=int, default=50_000)
    parser.add_argument("--others", type=int, default=2_000, help="who chats on meanwhile")
    parser.add_argument("--per-second", type=float, default=500, help="their messages, in all")
    parser.add_argument("--back", type=float, default=30, help="seconds until the last is back")
    parser.add_argument("--settle", type=float, default=8, help="seconds for the others to come")
    parser.add_argument("--before", type=float, default=20, help="seconds to compare with")
    parser.add_argument("--after", type=float, default=10, help="seconds that they chat on")
    parser.add_argument("--reports", type=Path, default=machine.REPORTS, help="where it is told")
    parser.add_argument("--memory", type=float, default=1.3, help="times the node's memory before")
    parser.add_argument("--p99", type=float, default=2, help="times the others' p99 before")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION__NAME=VALUE",
        help="a setting of the node",
    )
    return parser.parse_args()


def main() -> int:
    """Run one storm and write its report."""
    options = arguments()
    plan = Plan(
        connections=options.connections,
        others=options.others,
        per_second=options.per_second,
        back_seconds=options.back,
        memory_times=options.memory,
        p99_times=options.p99,
        settings=dict(word.split("=", 1) for word in options.set),
        settle=options.settle,
        before=options.before,
        after=options.after,
    )
    try:
        tools = Tools.find(machine.ROOT / "benches" / "results" / "storm", floor=False)
        for problem in machine.tune():
            print(f"kernel setting: {problem}", flush=True)
        about = machine.describe()
        seen = run(tools, plan)
    except BenchError as error:
        print(f"not done: {error}", file=sys.stderr)
        return 2
    reports: Path = options.reports
    reports.mkdir(parents=True, exist_ok=True)
    text = page(plan, seen, about)
    (reports / "storm.md").write_text(text)
    told = {"machine": about, "judged": seen.times(), "wrong": verdict(plan, seen)}
    told |= {"storm": seen.storm, "others": seen.others, "by_second": seen.by_second}
    (reports / "storm.json").write_text(json.dumps(told, indent=1))
    shutil.rmtree(tools.work, ignore_errors=True)
    print(text)
    return int(bool(verdict(plan, seen)))


if __name__ == "__main__":
    sys.exit(main())
