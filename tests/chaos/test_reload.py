"""Reloads under load: no line ends, nothing is lost, twice or out of order. I1 I3 I4 I5 I7."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

import hivewire as package
from hivewire.control import NoNode, ask
from tests.chaos.checker import assert_did_enough
from tests.chaos.fleet import Fleet
from tests.chaos.scale import judge, scaled, seeded
from tests.e2e.stranger import Stranger, key
from tests.node import Node

RELOADS = 5
KILLS = 3
APPLICATION = """
import asyncio
import hivewire

app = hivewire.App()
VERSION = {version}

@app.on_send
async def judge(message):
    await asyncio.sleep({seconds})
    message.data = {{"version": VERSION}}

@app.on_event
async def seen(event):
    await asyncio.sleep(0)
"""


def write(place: Path, version: int, seconds: float) -> None:
    (place / "judged.py").write_text(APPLICATION.format(version=version, seconds=seconds))


def judged_node(tmp_path: Path) -> Node:
    write(tmp_path, 0, 0)
    path = os.pathsep.join([str(tmp_path), str(Path(package.__file__).parents[1])])
    return Node(tmp_path / "data", flags=["judged:app"], env={"PYTHONPATH": path}).start()


async def reload(node: Node) -> str:
    done, text = await asyncio.to_thread(ask, node.data, "reload")
    assert done, text
    return text


async def version_of(line: Stranger) -> int:
    """Which application judges now, asked on a line that lives through all of it."""
    sent = await line.send("user:asks", "which", key())
    (event,) = (await line.sync(sent["seq"] - 1))["events"]
    return event["data"]["version"]


async def all_live(fleet: Fleet) -> None:
    async with asyncio.timeout(30):
        while not all(device.live for device in fleet.devices):  # noqa: ASYNC110 - as in Fleet
            await asyncio.sleep(0.02)


@pytest.mark.timeout(0)
async def test_i7_a_hundred_lines_live_through_reloads(tmp_path: Path) -> None:
    rng = seeded()
    node = judged_node(tmp_path)
    asks = await Stranger.join(node, "asks")
    async with Fleet(node, rng, users=25, devices=4, pause=0.1, resyncs=0.02) as fleet:
        await fleet.progress(100)
        await all_live(fleet)
        lines = fleet.lines
        for version in range(1, scaled(RELOADS) + 1):
            # Some think for longer than a reload waits: then the next one is asked again.
            write(tmp_path, version, rng.choice((0, 0.01, 0.5)))
            await fleet.busy()
            await reload(node)
            assert await version_of(asks) == version
            await fleet.progress(100)
        assert fleet.lines == lines, "a line has ended"
        await asks.leave()
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=100 * scaled(RELOADS))


@pytest.mark.timeout(0)
async def test_i12_kills_in_and_right_after_a_reload(tmp_path: Path) -> None:
    rng = seeded()
    node = judged_node(tmp_path)
    kills = scaled(KILLS)
    async with Fleet(node, rng, users=4, devices=3, resyncs=0.02) as fleet:
        for version in range(1, kills + 1):
            await fleet.progress(60)
            write(tmp_path, version, rng.choice((0, 0.3)))
            reloading = asyncio.create_task(asyncio.to_thread(ask, node.data, "reload"))
            await asyncio.sleep(rng.uniform(0, 0.5))
            fleet.crashed("kill")
            node.kill9()
            with contextlib.suppress(NoNode):
                await reloading
            await asyncio.to_thread(node.restart)
        await fleet.progress(60)
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=60 * kills)
