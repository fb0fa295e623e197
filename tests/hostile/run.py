"""What everybody else notices of each attack, as figures: `make hostile` prints the table.

A phase without and a phase with the attack take turns on one node, so that the machine's moods meet
both; the ways of all messages of all phases of a kind make a percentile. The node has core 0, all
clients have core 1, where the attack goes last: what others wait there is no delay of the node's.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.hostile.attacks import ATTACKS, Ends, launch
from tests.hostile.neighbours import Neighbours, percentile
from tests.node import Node

ROOT = Path(__file__).parents[2]
SECONDS = 4.0
ROUNDS = 4
NODE_CORE, CLIENT_CORE = 0, 1
LAST = 19
"""The attack's niceness."""
ENV = {
    "HIVEWIRE_EDGE__DEFLATE": "true",
    "HIVEWIRE_LIMITS__OPENING_TIME": "2s",
    "HIVEWIRE_LIMITS__SENDS_PER_SECOND": "20",
    "HIVEWIRE_LIMITS__SENDS_BURST": "60",
}
HEAD = "| attack | p50 without | p50 with | p99 without | p99 with | ratio of p99 | memory | ends |"


class Row(NamedTuple):
    """What one attack came to; times in seconds, memory in bytes above what it was before."""

    name: str
    quiet: list[float]
    attacked: list[float]
    memory: int
    ends: Ends

    def __str__(self) -> str:
        p50 = [percentile(values, 0.5) * 1e3 for values in (self.quiet, self.attacked)]
        p99 = [percentile(values, 0.99) * 1e3 for values in (self.quiet, self.attacked)]
        ends = ", ".join(f"{end}: {count}" for end, count in self.ends.most_common(3))
        return (
            f"| {self.name} | {p50[0]:.2f} ms | {p50[1]:.2f} ms | {p99[0]:.2f} ms "
            f"| {p99[1]:.2f} ms | {p99[1] / p99[0]:.2f} "
            f"| {self.memory / (1 << 20):.0f} MiB | {ends} |"
        )


async def attacked(name: str, folder: Path) -> Row:
    """Measure one attack on a node of its own."""
    os.sched_setaffinity(0, {NODE_CORE})
    node = Node(folder / name, env=ENV).start()
    os.sched_setaffinity(0, {CLIENT_CORE})
    try:
        neighbours = await Neighbours.join(node)
        await _phase(neighbours, asyncio.sleep(1.0))
        before = node.resident_bytes()
        quiet: list[float] = []
        loud: list[float] = []
        ends, most = Ends(), before
        for _ in range(ROUNDS):
            quiet += await _phase(neighbours, asyncio.sleep(SECONDS))
            attack = asyncio.ensure_future(launch(name, node.edge, SECONDS, ROOT, nice=LAST))
            loud += await _phase(neighbours, attack)
            ends += attack.result()
            most = max(most, node.resident_bytes())
        await neighbours.leave()
        return Row(name, quiet, loud, most - before, ends)
    finally:
        node.kill9()


async def _phase(neighbours: Neighbours, what: asyncio.Future[Ends] | object) -> list[float]:
    """The neighbours' ways while something goes on."""
    over = asyncio.Event()
    chatting = asyncio.ensure_future(neighbours.chat(over))
    await what  # type: ignore[misc]
    over.set()
    return await chatting


def main(names: list[str]) -> None:
    """Print a row for each attack."""
    sys.stdout.write(f"{HEAD}\n|{'---|' * (HEAD.count('|') - 1)}\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in names or ATTACKS:
            sys.stdout.write(f"{asyncio.run(attacked(name, Path(folder)))}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
