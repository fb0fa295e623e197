"""`make bench`: measure hivewire against its floors and write benches/README.md.

Needs an idle machine with two cores. `--quick` takes one short round, to see that everything works;
its figures mean little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import machine
import profile_server
import summary
from figure import Timing
from figures import FIGURES
from processes import BenchError, Tools

if TYPE_CHECKING:
    from figure import Figure, Measure, Sample

HERE: Final = Path(__file__).resolve().parent
RESULTS: Final = HERE / "results"
ROUNDS: Final = 5
FULL: Final = Timing(warm=2, seconds=5, rest=17)
QUICK: Final = Timing(warm=1, seconds=2, rest=2)


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [figure.name for figure in FIGURES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, help=f"rounds of floor and hivewire ({ROUNDS})")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        default=names,
        metavar="FIGURE",
        help=f"only these of: {', '.join(names)}",
    )
    parser.add_argument("--floor-only", action="store_true", help="leave hivewire out")
    parser.add_argument("--no-profile", action="store_true", help="leave the perf table out")
    parser.add_argument(
        "--output", type=Path, help="the page (benches/README.md; none with --only)"
    )
    return parser.parse_args()


def measure(options: argparse.Namespace, kit: Tools) -> list[summary.Rounds]:
    """Floor and hivewire in turn, round by round."""
    timing = QUICK if options.quick else FULL
    count = options.rounds or (1 if options.quick else ROUNDS)
    rounds = [summary.Rounds(figure) for figure in FIGURES if figure.name in options.only]
    for number in range(1, count + 1):
        for one in rounds:
            if one.figure.rounds and number > one.figure.rounds:
                continue
            print(f"round {number}/{count} {one.figure.name}", flush=True)
            take_round(one, options, kit, timing)
    return rounds


def take_round(
    one: summary.Rounds, options: argparse.Namespace, kit: Tools, timing: Timing
) -> None:
    """Both sides of a figure, once. A round counts when all of them were measured."""
    sides = [("floor", one.figure.floor, one.floor)]
    if not options.floor_only:
        sides.append(("node", one.figure.node, one.node))
    taken = [
        (attempt(side, one.figure, take, kit, timing), samples)
        for side, take, samples in sides
        if take is not None
    ]
    if all(sample is not None for sample, _ in taken):
        for sample, samples in taken:
            if sample is not None:
                samples.append(sample)


def attempt(side: str, figure: Figure, take: Measure, kit: Tools, timing: Timing) -> Sample | None:
    """One measurement; `None` with a line that tells why when it failed."""
    began = time.monotonic()
    try:
        sample = take(kit, timing)
    except BenchError as error:
        print(f"    {side}: {error}", flush=True)
        return None
    took = time.monotonic() - began
    print(f"    {side}: {sample.value:.4g} {figure.unit} ({took:.0f} s)", flush=True)
    return sample


def save(machine_: dict[str, str], rounds: list[summary.Rounds]) -> Path:
    """Everything that was seen, as JSON."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = RESULTS / f"{stamp}-{machine_['commit'].split()[0]}.json"
    raw = {
        one.figure.name: {
            "floor": [asdict(sample) for sample in one.floor],
            "hivewire": [asdict(sample) for sample in one.node],
            "judged": one.judged(),
            "verdict": one.verdict(),
        }
        for one in rounds
    }
    path.write_text(json.dumps({"machine": machine_, "figures": raw}, indent=1))
    return path


def main() -> int:
    """Run; 0 when every measured figure is within its bound."""
    options = arguments()
    try:
        kit = Tools.find(RESULTS / "work")
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    problems = machine.tune()
    for problem in problems:
        print(f"kernel setting: {problem}", flush=True)
    about = machine.describe()
    if problems:
        about["kernel settings"] = "; ".join(problems)
    rounds = measure(options, kit)
    print(f"raw figures: {save(about, rounds)}")
    quiet = options.floor_only or options.no_profile
    sections = [] if quiet else profile_server.sections(kit, options.only)
    whole = len(rounds) == len(FIGURES)
    output = options.output or (HERE / "README.md" if whole else None)
    text = summary.page(about, rounds, kit.commands, sections)
    if output is None:
        print(text)
    else:
        output.write_text(text)
    shutil.rmtree(kit.work, ignore_errors=True)
    return int(any(one.verdict() in ("**no**", "not measured") for one in rounds))


if __name__ == "__main__":
    sys.exit(main())
