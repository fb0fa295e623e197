"""`make bench`: measure hivewire against its floors and write benches/README.md.

Needs an idle machine with two cores. `--quick` takes one short round, to see that everything works;
its figures mean little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import machine
import profile_server
import summary
from figures import FIGURES, Timing
from processes import BenchError, Tools

if TYPE_CHECKING:
    from figures import Figure, Measure, Sample

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
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FIGURE")
    parser.add_argument("--floor-only", action="store_true", help="leave hivewire out")
    parser.add_argument("--no-profile", action="store_true", help="leave the perf table out")
    parser.add_argument(
        "--output", type=Path, help="the page (benches/README.md; none with --only)"
    )
    return parser.parse_args()


def tools() -> Tools:
    """The programs, built where cargo puts them, and a clean scratch directory."""
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    text = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout
    release = Path(json.loads(text)["target_directory"]) / "release"
    bin_ = Path(sys.executable).parent
    work = RESULTS / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    found = Tools(
        floor=release / "hivewire-floor",
        swarm=release / "hivewire-swarm",
        hivewire=bin_ / "hivewire",
        python=Path(sys.executable),
        work=work,
    )
    for path in (found.floor, found.swarm):
        if not path.exists():
            raise BenchError(f"{path} is missing: cargo build --release -p {path.name}")
    return found


def measure(options: argparse.Namespace, kit: Tools) -> list[summary.Rounds]:
    """Floor and hivewire in turn, round by round."""
    timing = QUICK if options.quick else FULL
    count = options.rounds or (1 if options.quick else ROUNDS)
    rounds = [summary.Rounds(figure) for figure in FIGURES if figure.name in options.only]
    for number in range(1, count + 1):
        for one in rounds:
            print(f"round {number}/{count} {one.figure.name}", flush=True)
            floor = attempt("floor", one.figure, one.figure.floor, kit, timing)
            node = (
                None
                if options.floor_only
                else attempt("node", one.figure, one.figure.node, kit, timing)
            )
            # A round counts when both sides were measured: ratios are taken within a round.
            if floor is not None and (node is not None or options.floor_only):
                one.floor.append(floor)
                one.node += [node] if node is not None else []
    return rounds


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
        kit = tools()
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
    sections = [] if options.floor_only or options.no_profile else profile_server.sections(kit)
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
