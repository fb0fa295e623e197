"""R5: resume is exact, from every position while traffic runs, cut anywhere. I6 I7."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import assert_did_enough
from tests.chaos.device import Device
from tests.chaos.fleet import Fleet
from tests.chaos.scale import judge, scaled, seeded

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node

RESUMES = 200


@pytest.mark.timeout(0)
async def test_i7_resume_from_every_position_while_traffic_runs(
    start_node: Callable[..., Node], tmp_path: Path
) -> None:
    rng = seeded()
    async with Fleet(start_node(), rng, users=3, devices=3, window=2, pause=0.03) as fleet:
        resumers = [Device(fleet, user, "resumer", "json") for user in fleet.users]
        await fleet.progress(100)
        for turn in range(scaled(RESUMES)):
            fleet.raise_failures()
            resumer = resumers[turn % len(resumers)]
            resumer.encoding = rng.choice(["json", "msgpack"])
            await _resume(resumer, rng, turn)
        for resumer in resumers:
            await resumer.connect(None)
            await resumer.catch_up()
            resumer.ask_heads()
        fleet.devices += resumers
        await fleet.heal()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=100)


async def _resume(resumer: Device, rng: random.Random, turn: int) -> None:
    """Come back at a position, catch up all or part of the way, take some pushes, and be cut."""
    others = [device.seen for device in resumer.fleet.devices if device.user == resumer.user]
    head = max(others)
    near, anywhere = max(0, head - rng.randint(0, 30)), turn * 7 % (head + 1)
    # Now and then it holds more than there ever was, as after a lost backup: it must start again.
    given = head + 10_000 if turn % 20 == 19 else near if turn % 2 else anywhere
    await resumer.connect(given, rng.choice([None, None, 5, 500]))
    if rng.random() < 0.3:
        await resumer.catch_up(pages=rng.randint(0, 3))
        if not resumer.live:
            resumer.ask_page(500)
            await asyncio.sleep(rng.choice([0, 0.001, 0.01]))
    else:
        await resumer.catch_up()
        await asyncio.sleep(rng.choice([0, 0.02]))
    resumer.cut()
