"""R1, R3, R4: `kill -9` under load, at random and at marked points. I1 I2 I3 I4 I5 I12."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.checker import assert_did_enough
from tests.chaos.fleet import Fleet
from tests.chaos.points import POINTS, chaos_at, visits_before
from tests.chaos.scale import judge, scaled, seeded
from tests.node import Node, NodeFailed

RANDOM_KILLS = 10
KILLS_A_POINT = 2
USUAL = ("-m", "hivewire")
STRAINED = (str(Path(__file__).with_name("mutants.py")), "small_caches")


@pytest.mark.timeout(0)
@pytest.mark.parametrize("strained", [False, True], ids=["as usual", "small caches"])
async def test_i12_random_kills_lose_nothing_and_repeat_nothing(
    tmp_path: Path, *, strained: bool
) -> None:
    rng = seeded()
    node = Node(tmp_path / "data", launcher=STRAINED if strained else USUAL).start()
    kills = scaled(RANDOM_KILLS)
    async with Fleet(node, rng, users=4, devices=3, resyncs=0.02) as fleet:
        for _ in range(kills):
            await fleet.progress(rng.randint(50, 300))
            await asyncio.sleep(rng.uniform(0, 0.05))
            fleet.crashed("kill")
            node.kill9()
            await asyncio.to_thread(node.restart)
        await fleet.progress(100)
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=50 * kills, crashes=kills)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("point", POINTS)
async def test_i12_kills_at_marked_points(tmp_path: Path, point: str) -> None:
    rng = seeded()
    kills = scaled(KILLS_A_POINT)
    node = Node(tmp_path / "data").start(extra_env=chaos_at(point, visits_before(rng, point)))
    async with Fleet(node, rng, users=3, devices=2) as fleet:
        for _ in range(kills):
            status = await asyncio.to_thread(node.wait)
            assert status == -9, (
                f"died of {status}, not of the marked point\n{node.stderr()[-2000:]}"
            )
            fleet.crashed("kill")
            await asyncio.to_thread(
                node.restart, extra_env=chaos_at(point, visits_before(rng, point))
            )
        status = await asyncio.to_thread(node.wait)
        fleet.crashed("kill")
        await asyncio.to_thread(node.restart)
        await fleet.progress(50)
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=50, crashes=kills + 1)


@pytest.mark.timeout(0)
async def test_i12_kills_while_starting(tmp_path: Path) -> None:
    rng = seeded()
    kills = scaled(2)
    node = Node(tmp_path / "data").start()
    async with Fleet(node, rng, users=3, devices=2) as fleet:
        for _ in range(kills):
            await fleet.progress(50)
            await fleet.busy()
            fleet.crashed("kill")
            node.kill9()
            with pytest.raises(NodeFailed, match="exit -9"):
                await asyncio.to_thread(node.restart, extra_env=chaos_at("startup", 1))
            await asyncio.to_thread(node.restart)
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=50 * kills, crashes=kills)
