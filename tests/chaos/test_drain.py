"""R6 in small: drains under load. Everyone comes back by himself, and nothing is lost. I1 I7."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import assert_did_enough
from tests.chaos.fleet import Fleet
from tests.chaos.scale import judge, scaled, seeded
from tests.node import Node

if TYPE_CHECKING:
    from pathlib import Path

DRAINS = 3
BACK_SECONDS = 30.0


@pytest.mark.timeout(0)
async def test_i7_drains_under_load_lose_nothing(tmp_path: Path) -> None:
    rng = seeded()
    node = Node(tmp_path / "data", env={"HIVEWIRE_DRAIN__SPREAD": "300ms"}).start()
    async with Fleet(node, rng, users=5, devices=3) as fleet:
        for _ in range(scaled(DRAINS)):
            await fleet.progress(150)
            node.terminate()
            assert await asyncio.to_thread(node.wait) == 0
            await asyncio.to_thread(node.restart)
            started = time.monotonic()
            async with asyncio.timeout(BACK_SECONDS):
                while not all(device.live for device in fleet.devices):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert time.monotonic() - started < BACK_SECONDS
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=150)
