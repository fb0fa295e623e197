"""While one kind of peer attacks, everybody else's messages arrive, once, in order (I7, I8, I9).

What it costs the others in time is a figure, not a promise that a busy machine could break: see
`make hostile` and docs/edge.md.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hostile.attacks import ATTACKS, Ends, launch
from tests.hostile.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

ROOT = Path(__file__).parents[2]
SECONDS = 1.5
MEMORY = 96 << 20
"""What an attack may take: three quarters of it are the logs of messages, which any load fills."""
ENV = {
    "HIVEWIRE_EDGE__DEFLATE": "true",
    "HIVEWIRE_LIMITS__OPENING_TIME": "1s",
    "HIVEWIRE_LIMITS__SENDS_PER_SECOND": "20",
    "HIVEWIRE_LIMITS__SENDS_BURST": "60",
}
FITTING = {
    "ping_flood": {"4013"},
    "tiny_fragments": {"1009"},
    "bombs": {"1009"},
    "slow_handshakes": {"HTTP 408"},
    "silence": {"HTTP 408"},
    "eager_sender": {"rate_limited"},
}
"""The end that must have come in each attack."""
POSSIBLE = {"end", "sent", "ConnectionResetError", "Ended"}
"""What may have come as well: a Close that was overtaken by a reset is none."""


@pytest.fixture
def attacked(start_node: Callable[..., Node]) -> Node:
    return start_node(env=ENV)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("attack", ATTACKS)
async def test_i8_everybody_else_goes_on_and_the_attackers_are_shown_out(
    attacked: Node, attack: str
) -> None:
    neighbours = await Neighbours.join(attacked)
    before = attacked.resident_bytes()
    over = asyncio.Event()
    chatting = asyncio.ensure_future(neighbours.chat(over))
    ends, most = await _attack(attacked, attack)
    over.set()
    lags = await chatting
    assert len(lags) > 20, "the neighbours have hardly spoken"
    assert FITTING[attack] <= set(ends), ends
    assert set(ends) <= FITTING[attack] | POSSIBLE, ends
    assert most - before < MEMORY
    await neighbours.leave()


async def _attack(node: Node, attack: str) -> tuple[Ends, int]:
    """Attack, and see how much memory the node took at most meanwhile."""
    attacking = asyncio.ensure_future(launch(attack, node.edge, SECONDS, ROOT))
    most = 0
    while not attacking.done():
        most = max(most, node.resident_bytes())
        await asyncio.wait((attacking,), timeout=0.05)
    return attacking.result(), most
