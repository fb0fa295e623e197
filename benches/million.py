"""`make million`: a crowd of connections on one node, both ends on this machine, and a report.

Writes `reports/crowd-N.md` and `.json`. Ends by itself: when it is done, or with the reason why it
cannot be (memory, open files, a ramp that stands still, time). Exit status: 0 all connected and
nothing lost, twice or out of order; 1 something was; 2 it could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import machine
from crowd import GIB, Plan, stand
from processes import BenchError, Tools

if TYPE_CHECKING:
    from crowd import Stand

MIB: Final = 1 << 20


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--connections", type=int, default=1_000_000)
    parser.add_argument("--per-second", type=float, default=1000, help="messages a second in all")
    parser.add_argument("--heartbeat", type=float, default=25, help="seconds of silence to a ping")
    parser.add_argument("--warm", type=float, default=30, help="seconds before the window")
    parser.add_argument("--seconds", type=float, default=60, help="seconds of the measured window")
    parser.add_argument("--ramp-timeout", type=int, default=900, help="seconds for all to connect")
    parser.add_argument("--spare", type=float, default=1, help="GiB that must stay available")
    parser.add_argument("--reports", type=Path, default=machine.REPORTS, help="where it is told")
    return parser.parse_args()


def plan_of(options: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    return Plan(
        connections=options.connections,
        per_second=options.per_second,
        heartbeat=options.heartbeat,
        warm=options.warm,
        seconds=options.seconds,
        ramp_timeout=options.ramp_timeout,
        spare_memory=int(options.spare * GIB),
    )


def verdict(seen: Stand) -> list[str]:
    """What was not as it should be."""
    swarm, drain = seen.swarm, seen.swarm["load"]["drain"]
    wrong = [f"{what}: {count}" for what, count in swarm["faults"].items()]
    if swarm["connections"] < seen.plan.connections:
        wrong.append(f"only {swarm['connections']} connected")
    if seen.figures["heartbeat_lost"]:
        wrong.append(f"{seen.figures['heartbeat_lost']:.0f} lines given up for silence")
    if drain["left"]:
        wrong.append(f"{drain['left']} were not sent away in {drain['seconds']:.0f} s")
    if seen.exit_status != 0:
        wrong.append(f"the node ended with {seen.exit_status}")
    return wrong


def rows(seen: Stand) -> list[tuple[str, str]]:
    """The report's table."""
    plan, swarm, figures = seen.plan, seen.swarm, seen.figures
    ramp, load, times = swarm["ramp"], swarm["load"], swarm["latency_us"]
    silent = times["silence_until_ping"]
    late = silent["p99"] / 1e3 - plan.heartbeat * 1e3 if silent["count"] else float("nan")

    def ms(name: str) -> str:
        return " / ".join(f"{times[name][at] / 1e3:.2f}" for at in ("p50", "p99", "p999", "max"))

    kinds = [(f"bytes a connection: {k}", f"{v:,.0f}") for k, v in seen.per_connection().items()]
    return [
        (
            "connections, of the node / asked for",
            f"{swarm['connections']:,} / {plan.connections:,}",
        ),
        ("shards of the node, threads of the client", f"{seen.shards}, {swarm['threads']}"),
        ("the node's start, s", f"{seen.start_seconds:.2f}"),
        ("all connected after, s", f"{ramp['seconds']:.1f}"),
        ("connects a second", f"{ramp['connections_per_second']:,.0f}"),
        ("the node's CPU a connect, µs", f"{ramp['server_cpu_us_per_connection']:.0f}"),
        ("connect, ms: p50, p99", _pair(ramp["latency_us"])),
        ("messages a second", f"{load['operations_per_second']:,.0f}"),
        ("answer, ms: p50 / p99 / p99.9 / max", ms("answer")),
        ("delivery, ms: p50 / p99 / p99.9 / max", ms("delivery")),
        ("heartbeat interval, s", f"{plan.heartbeat:g}"),
        ("pings a second", f"{figures['pings_per_second']:,.0f}"),
        ("pings late at the client, ms: p99", f"{late:.0f}"),
        ("the timer wheel late, ms: worst", f"{figures['wheel_lag_ms']:.0f}"),
        ("CPU of the node, cores", f"{figures['node_cpu']:.2f}"),
        ("CPU of the client, cores", f"{load['client_busy']:.2f}"),
        *kinds,
        ("the node's memory at its most, MiB", f"{seen.peak / MIB:,.0f}"),
        ("SIGTERM to the end of the node, s", f"{seen.stop_seconds:.2f}"),
        ("sent away with a word", f"{swarm['counts']['byes']:,}"),
    ]


def _pair(times: dict[str, float]) -> str:
    return f"{times['p50'] / 1e3:.1f}, {times['p99'] / 1e3:.1f}"


def page(seen: Stand, about: dict[str, str]) -> str:
    """The report as Markdown."""
    wrong = verdict(seen)
    table = [f"| {name} | {value} |" for name, value in rows(seen)]
    slabs = [
        f"| {name} | {count / seen.plan.connections:.2f} | {size} |"
        for name, (count, size) in sorted(seen.slabs.items(), key=lambda one: -one[1][1])
    ]
    kernel = ["## Kernel objects", "", "| slab | a connection | bytes each |", "|---|---|---|"]
    return "\n".join(
        [
            f"# {seen.plan.connections:,} connections on one node",
            "",
            *(f"- {name}: {value}" for name, value in about.items()),
            f"- verdict: {'; '.join(wrong) if wrong else 'nothing lost, twice or out of order'}",
            "",
            "| what | figure |",
            "|---|---|",
            *table,
            "",
            *([*kernel, *slabs, ""] if slabs else []),
        ]
    )


def main() -> int:
    """Run one stand and write its report."""
    options = arguments()
    try:
        tools = Tools.find(machine.ROOT / "benches" / "results" / "crowd", floor=False)
        every = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        tools.server_cores = tools.client_cores = every
        for problem in machine.tune():
            print(f"kernel setting: {problem}", flush=True)
        about = machine.describe()
        seen = stand(tools, plan_of(options))
    except BenchError as error:
        print(f"not done: {error}", file=sys.stderr)
        return 2
    output: Path = options.reports / f"crowd-{options.connections}"
    output.parent.mkdir(parents=True, exist_ok=True)
    text = page(seen, about)
    output.with_suffix(".md").write_text(text)
    output.with_suffix(".json").write_text(
        json.dumps({"machine": about, **seen.to_dict()}, indent=1)
    )
    shutil.rmtree(tools.work, ignore_errors=True)
    print(text)
    return int(bool(verdict(seen)))


if __name__ == "__main__":
    sys.exit(main())
