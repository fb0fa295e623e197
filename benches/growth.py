"""`make growth`: what a node costs as it grows, by connections and by the size of groups, as plots.

Writes `reports/growth.json` and an SVG for each question: memory, connects, rest and delivery
against connections; a message and a delivery against members, groups first, then channels.
`--plots-only` draws again what was measured before. Exit status: 0 done, 1 something was lost or
twice, 2 not run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import growth_plots
import machine
from crowd import GIB, Plan, stand
from figure import ONE_SHARD, Timing, fresh
from processes import BenchError, Tools

SIZES: Final = (1_000, 3_000, 10_000, 30_000, 100_000, 200_000, 300_000, 500_000, 1_000_000)
GROUPS: Final = (2, 5, 10, 20, 50, 100, 200, 500)
CHANNELS: Final = (500, 1_000, 2_000, 5_000, 10_000)
# As many connections at every group size, so that only the size differs.
MEMBERS: Final = 1_000


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100_000, help="connections of the largest node")
    parser.add_argument("--per-second", type=float, default=500, help="messages a second in all")
    parser.add_argument("--heartbeat", type=float, default=25, help="seconds of silence to a ping")
    # Everybody has been pinged once when the window begins.
    parser.add_argument("--warm", type=float, help="seconds before a window (heartbeat + 3)")
    parser.add_argument("--seconds", type=float, default=30, help="seconds of each measured window")
    parser.add_argument("--spare", type=float, default=1, help="GiB that must stay available")
    parser.add_argument("--members", type=int, default=10_000, help="of the largest group")
    parser.add_argument("--reports", type=Path, default=machine.REPORTS, help="where it is told")
    parser.add_argument("--no-groups", action="store_true", help="only connections")
    parser.add_argument("--no-crowds", action="store_true", help="only groups and channels")
    parser.add_argument("--plots-only", action="store_true", help="measure nothing")
    return parser.parse_args()


def measure_crowd(tools: Tools, options: argparse.Namespace, size: int) -> dict[str, Any]:
    """One stand; everything of it."""
    plan = Plan(
        connections=size,
        per_second=options.per_second,
        heartbeat=options.heartbeat,
        warm=options.heartbeat + 3 if options.warm is None else options.warm,
        seconds=options.seconds,
        spare_memory=int(options.spare * GIB),
    )
    return stand(tools, plan).to_dict()


def measure_group(tools: Tools, size: int, timing: Timing) -> dict[str, Any]:
    """A message to a group of `size`, all members there; CPU by message and by delivery."""
    lines = max(MEMBERS // size, 1) * size
    words = ["group", "-n", str(lines), "--size", str(size), "-w", "1", "--bytes", "100"]
    return _load(tools, words, size - 1, timing)


def measure_channel(tools: Tools, size: int, timing: Timing) -> dict[str, Any]:
    """A message to a channel of `size` readers."""
    return _load(tools, ["channel", "-n", str(size), "-w", "1", "--bytes", "100"], size, timing)


def _load(tools: Tools, words: list[str], receivers: int, timing: Timing) -> dict[str, Any]:
    with tools.serve_node(fresh(tools.work / "data"), **ONE_SHARD) as server:
        result = tools.run_swarm(server, *words, *timing.words())
        resident = server.rss_bytes()
    each = result["load"]["server_cpu_us_per_operation"]
    return {
        "delivery_cpu_us": each,
        "message_cpu_us": each * receivers,
        "node_bytes": resident,
        "swarm": result,
    }


def faults(done: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Every promise that was seen broken."""
    found = list[str]()
    for kind, by_size in done.items():
        for size, one in by_size.items():
            found += [f"{kind} {size}: {what}: {n}" for what, n in one["swarm"]["faults"].items()]
    return found


def measure(
    options: argparse.Namespace, tools: Tools, done: dict[str, dict[str, dict[str, Any]]]
) -> None:
    """Everything, the smallest first; what cannot be had is told and left out."""
    timing = Timing(warm=2, seconds=min(options.seconds, 5), rest=0)
    crowds = [] if options.no_crowds else [size for size in SIZES if size <= options.most]
    for size in crowds:
        attempt(done["crowds"], size, lambda size=size: measure_crowd(tools, options, size))
    if options.no_groups:
        return
    for size in (size for size in GROUPS if size <= options.members):
        attempt(done["groups"], size, lambda size=size: measure_group(tools, size, timing))
    for size in (size for size in CHANNELS if size <= options.members):
        attempt(done["channels"], size, lambda size=size: measure_channel(tools, size, timing))


def attempt(done: dict[str, dict[str, Any]], size: int, take: Any) -> None:  # noqa: ANN401 - a call
    """Measure one size."""
    print(f"{size:,}", flush=True)
    try:
        done[str(size)] = take()
    except BenchError as error:
        print(f"    not done: {error}", flush=True)


def main() -> int:
    """Measure, keep, draw."""
    options = arguments()
    reports: Path = options.reports
    reports.mkdir(parents=True, exist_ok=True)
    result = reports / "growth.json"
    told: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    done = {kind: dict(told.get(kind, {})) for kind in ("crowds", "groups", "channels")}
    if not options.plots_only:
        try:
            tools = Tools.find(machine.ROOT / "benches" / "results" / "growth", floor=False)
        except BenchError as error:
            print(error, file=sys.stderr)
            return 2
        every = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        machine.tune()
        about = machine.describe()
        tools.server_cores = tools.client_cores = every
        measure(options, tools, done)
        result.write_text(json.dumps({"machine": about, **done}, indent=1))
        shutil.rmtree(tools.work, ignore_errors=True)
    for path in growth_plots.draw(done, reports):
        print(path)
    wrong = faults(done)
    print("\n".join(wrong) or "nothing lost, twice or out of order")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
