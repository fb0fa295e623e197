"""Kills and power cuts for as long as one likes: `python -m tests.chaos.soak --minutes 60`.

Run after run on fresh data, each with its own seed: crashes at random moments, at marked points,
and power cuts, under everything that people do in a company. Prints a line a run and the figures
at the end; the first run that breaks a promise leaves its history and data and ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.company import Team
from tests.chaos.faults import PowerCut
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet
from tests.chaos.history import History, dump
from tests.chaos.points import POINTS, chaos_at, visits_before
from tests.node import Node

CRASHES_A_RUN = 25
HEAL_SECONDS = 120.0
SMALL_CACHES = {
    "HIVEWIRE_STORE__CACHE_USERS": "256",
    "HIVEWIRE_STORE__CACHE_HISTORY": "64KiB",
    "HIVEWIRE_STORE__CACHE_UNREAD": "1024",
}


async def run(seed: int, data: Path, crashes: int = CRASHES_A_RUN) -> History:
    """One run: that many crashes of one kind, then all is read."""
    rng = random.Random(seed)
    users = rng.randint(3, 6)
    # Every second run has a group that outgrows its bound and becomes a channel.
    bound = users - 1 if rng.random() < 0.5 else 500
    teams = (
        Team("group:all", min(users, bound)),
        Team("group:late", 2, "joined"),
        Team("channel:news"),
    )
    # And every second has caches that hold next to nothing.
    env = SMALL_CACHES if rng.random() < 0.5 else {}
    node = Node(data / "data", env={"HIVEWIRE_LIMITS__GROUP_MEMBERS": str(bound)} | env)
    crash = rng.choice([_random_kills, _kills_at_points, _power_cuts])
    load = {"users": users, "devices": rng.randint(1, 3), "window": rng.choice([1, 4, 8])}
    fleet = Fleet(node, rng, **load, resyncs=rng.choice([0.0, 0.02]), teams=teams)
    try:
        await crash(fleet, node, data, crashes)
    finally:
        if node.running():
            node.kill9()
    return fleet.history


async def _random_kills(fleet: Fleet, node: Node, _: Path, crashes: int) -> None:
    node.start()
    async with fleet:
        for _turn in range(crashes):
            await fleet.progress(fleet.rng.randint(20, 200), 60)
            await asyncio.sleep(fleet.rng.uniform(0, 0.05))
            fleet.crashed("kill")
            node.kill9()
            await asyncio.to_thread(node.restart)
        await _finish(fleet, node)


async def _kills_at_points(fleet: Fleet, node: Node, _: Path, crashes: int) -> None:
    rng = fleet.rng

    def armed() -> dict[str, str]:
        point = rng.choice(POINTS)
        return chaos_at(point, visits_before(rng, point))

    node.start(extra_env=armed())
    async with fleet:
        for turn in range(crashes):
            status = await asyncio.to_thread(node.wait, 60)
            assert status == -9, f"died of {status}\n{node.stderr()[-2000:]}"
            fleet.crashed("kill")
            last = turn == crashes - 1
            await asyncio.to_thread(node.restart, extra_env=None if last else armed())
        await _finish(fleet, node)


async def _power_cuts(fleet: Fleet, node: Node, data: Path, crashes: int) -> None:
    cut = PowerCut(data / "data", data / "power")
    node.start(extra_env=cut.begin())
    async with fleet:
        for turn in range(crashes):
            await fleet.progress(fleet.rng.randint(20, 150), 60)
            await asyncio.sleep(fleet.rng.uniform(0, 0.05))
            fleet.crashed("cut")
            node.kill9()
            # Every second time nothing unsynced survives, else some of it does.
            cut.apply(fleet.rng if turn % 2 else None)
            await asyncio.to_thread(node.restart, extra_env=cut.begin())
        await _finish(fleet, node)


async def _finish(fleet: Fleet, node: Node) -> None:
    """All is read; the node stops by itself, and `hivewire verify` finds its data in order."""
    await fleet.progress(20, 60)
    await fleet.heal(HEAL_SECONDS)
    node.stop()
    node.assert_calm()
    verify_data(node.data)


def verify_data(data: Path) -> None:
    """What the node left on the disk is in order, says its own tool."""
    command = [sys.executable, "-m", "hivewire", "verify", "--data", str(data)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def soak(minutes: float, seed: int, scratch: Path, crashes: int = CRASHES_A_RUN) -> bool:
    """Run after run until the time is over or a promise is broken; whether all were kept."""
    figures, started = Figures(), time.monotonic()
    while time.monotonic() - started < minutes * 60:
        data = Path(tempfile.mkdtemp(prefix="soak-", dir=scratch))
        try:
            history = asyncio.run(run(seed, data, crashes))
        except BaseException:
            tell(f"seed {seed} failed, kept in {data}")
            raise
        broken = figures.add(history)
        crashes = figures.counts["kill"] + figures.counts["cut"]
        spent = (time.monotonic() - started) / 60
        tell(f"seed {seed}: {crashes} crashes in {spent:.1f} min, {len(broken)} violations")
        if broken:
            dump(history, data / "history.jsonl")
            tell(f"kept in {data}", *(f"{v.rule}: {v.words}" for v in broken[:20]))
            break
        shutil.rmtree(data)
        seed += 1
    tell("", figures.table())
    return not figures.broken


def tell(*lines: str) -> None:
    """Print at once: it may run for hours behind a pipe."""
    print(*lines, sep="\n", flush=True)  # noqa: T201 - a command


def main() -> int:
    """Read the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="no run begins after that")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 32))
    parser.add_argument(
        "--scratch", type=Path, help="where the data lies (default: /tmp or TMPDIR)"
    )
    parser.add_argument("--crashes", type=int, default=CRASHES_A_RUN, help="of each run")
    options = parser.parse_args()
    kept = soak(options.minutes, options.seed, options.scratch, options.crashes)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
