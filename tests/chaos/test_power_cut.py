"""R2:

the same under power cuts. What a kill keeps in the page cache, a power cut takes. I1 I2 I12.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import assert_did_enough, check
from tests.chaos.faults import PowerCut
from tests.chaos.fleet import Fleet
from tests.chaos.history import Answer, Event, Final, Invoke
from tests.chaos.scale import judge, scaled, seeded
from tests.e2e.stranger import Stranger
from tests.node import Node

if TYPE_CHECKING:
    from pathlib import Path

CUTS = 10


@pytest.mark.timeout(0)
async def test_i1_power_cuts_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    rng = seeded()
    cuts = scaled(CUTS)
    cut = PowerCut(tmp_path / "data", tmp_path / "power")
    node = Node(tmp_path / "data").start(extra_env=cut.begin())
    async with Fleet(node, rng, users=4, devices=2) as fleet:
        for turn in range(cuts):
            await fleet.progress(rng.randint(30, 200))
            await asyncio.sleep(rng.uniform(0, 0.05))
            fleet.crashed("cut")
            node.kill9()
            assert cut.syncs() > 0, "the shim saw no sync: is it loaded?"
            # Every second time nothing unsynced survives, else some of it does.
            cut.apply(rng if turn % 2 else None)
            await asyncio.to_thread(node.restart, extra_env=cut.begin())
        await fleet.progress(50)
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=30 * cuts, crashes=cuts)


async def test_without_sync_a_power_cut_loses_so_the_test_above_proves_something(
    tmp_path: Path,
) -> None:
    cut = PowerCut(tmp_path / "data", tmp_path / "power")
    env = {"HIVEWIRE_STORE__SYNC": "false"}
    node = Node(tmp_path / "data", env=env).start(extra_env=cut.begin())
    history: list[Invoke | Answer | Final] = []
    ann = await Stranger.join(node, "ann")
    for number in range(50):
        key = f"control-{number:04}"
        history.append(Invoke(number, 1, "ann", "phone", key, "direct:ann,bob", "x"))
        sent = await ann.send("user:bob", "x", key)
        place = (sent["conv"], sent["n"], sent["seq"])
        history.append(Answer(number, 1, "ann", "phone", key, *place, dup=False))
    ann.cut()
    node.kill9()
    cut.apply()
    await asyncio.to_thread(node.restart)
    async with await Stranger.join(node, "ann", cursor=0) as ann:
        events = tuple(map(Event.of, await ann.read_all(0)))
    node.stop()
    history.append(Final(100, 2, "ann", "phone", events))
    lost = {violation.rule for violation in check([*history])}
    assert "answered_is_durable" in lost, f"{len(events)} of 50 survived"


async def test_i2_what_a_restart_showed_survives_the_power_cut_behind_it(tmp_path: Path) -> None:
    """`kill -9` leaves rows that were never synced; a new process that shows them must have synced
    them.
    """
    cut = PowerCut(tmp_path / "data", tmp_path / "power")
    env = cut.begin()
    unsynced = {"HIVEWIRE_STORE__SYNC": "false"}
    node = Node(tmp_path / "data").start(extra_env=env | unsynced)
    async with await Stranger.join(node, "ann") as ann:
        for number in range(50):
            await ann.send("user:bob", "x", f"shown-{number:04}")
    node.kill9()
    # The same side log goes on: no cut has taken anything yet.
    await asyncio.to_thread(node.restart, extra_env=env)
    async with await Stranger.join(node, "ann", cursor=0) as ann:
        shown = await ann.read_all(0)
    assert len(shown) == 50
    node.kill9()
    cut.apply()
    await asyncio.to_thread(node.restart)
    async with await Stranger.join(node, "ann", cursor=0) as ann:
        assert await ann.read_all(0) == shown
    node.stop()
