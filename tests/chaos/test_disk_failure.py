"""R10:

full disks and failing syncs. After the first error nothing is answered; a restart is clean. I1 I12.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import assert_did_enough
from tests.chaos.faults import IoFault, small_disk
from tests.chaos.fleet import Fleet
from tests.chaos.history import Answer, History, Invoke
from tests.chaos.scale import judge, seeded
from tests.e2e.stranger import Stranger
from tests.node import Node

if TYPE_CHECKING:
    from pathlib import Path

DEATH_SECONDS = 20.0


@pytest.mark.parametrize(
    ("error", "calls", "where"),
    [
        ("EIO", "fsync,fdatasync", "/data/"),
        ("EIO", "write,pwrite", "/data/"),
        ("ENOSPC", "write,pwrite", "/data/"),
        # The log lies beside the data, as data.stderr: it cannot be written either.
        ("ENOSPC", "write,pwrite", "/data"),
    ],
    ids=["failed sync", "failed write", "no space", "no space for the log"],
)
async def test_i1_nothing_is_answered_after_the_first_io_error(
    tmp_path: Path, error: str, calls: str, where: str
) -> None:
    rng = seeded()
    fault = IoFault(tmp_path)
    node = Node(tmp_path / "data").start(extra_env=fault.env)
    async with Fleet(node, rng, users=3, devices=2) as fleet:
        await fleet.progress(100)
        fault.arm(error, calls, where)
        failed_at = await _first_failure(fault)
        status = await asyncio.to_thread(node.wait, DEATH_SECONDS)
        assert status not in (0, -9), f"exit {status}: it must fail loudly"
        fleet.crashed("kill")
        fault.disarm()
        assert _answered_from(fleet.history, failed_at) == []
        await asyncio.to_thread(node.restart)
        await fleet.progress(50)
        await fleet.heal()
    node.stop()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=150, crashes=1)


async def test_i1_a_full_disk_stops_the_node_and_room_brings_it_back(tmp_path: Path) -> None:
    rng = seeded()
    try:
        with small_disk(tmp_path / "disk", "96m") as disk:
            node = Node(disk / "data").start()
            async with Fleet(node, rng, users=3, devices=2) as fleet:
                await fleet.progress(100)
                await fleet.busy()
                ballast = _fill(disk, leave=256 * 1024)
                status = await asyncio.to_thread(node.wait, 2 * DEATH_SECONDS)
                assert status not in (0, -9), f"exit {status}: it must fail loudly"
                fleet.crashed("kill")
                ballast.unlink()
                await asyncio.to_thread(node.restart)
                await fleet.progress(50)
                await fleet.heal()
            node.stop()
            judge(fleet.history, tmp_path)
            assert_did_enough(fleet.history, answered=150, crashes=1)
    except PermissionError as error:
        pytest.skip(f"a tmpfs cannot be mounted here: {error}")


async def test_i8_a_slow_disk_slows_the_sends_and_nothing_else(tmp_path: Path) -> None:
    """Each sync takes 300 ms:

    pings and pages go on, nobody is dropped, nothing piles up for ever.
    """
    rng = seeded()
    fault = IoFault(tmp_path)
    env = {"HIVEWIRE_HEARTBEAT__INTERVAL": "500ms", "HIVEWIRE_HEARTBEAT__TIMEOUT": "300ms"}
    node = Node(tmp_path / "data", env=env).start(extra_env=fault.env)
    async with Fleet(node, rng, users=3, devices=2, window=8) as fleet:
        await fleet.progress(100)
        fault.arm("SLOW300", "fsync,fdatasync", "/data/")
        lines = fleet.lines
        async with await Stranger.join(node, "watcher") as watcher:
            for _ in range(20):
                started = time.monotonic()
                assert (await watcher.call("ping"))["op"] == "pong"
                assert time.monotonic() - started < 0.25
                # A page shows state: it waits for the newest commit that it may have read.
                assert (await watcher.sync(0))["done"] is True
                assert time.monotonic() - started < 2.0
                await asyncio.sleep(0.1)
        await fleet.progress(50)
        assert fleet.lines == lines, "a line was lost to a slow disk"
        fault.disarm()
        await fleet.heal()
    node.stop()
    node.assert_calm()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=150)


async def _first_failure(fault: IoFault) -> int:
    """Wait until the armed fault was hit; a time that is not before it."""
    async with asyncio.timeout(DEATH_SECONDS):
        while not fault.hits():  # noqa: ASYNC110 - a file is watched
            await asyncio.sleep(0.001)
    return time.monotonic_ns()


def _answered_from(history: History, moment: int) -> list[Answer]:
    """Answers to sends that were begun after `moment`."""
    begun = {(r.user, r.key): r.at for r in reversed(history) if isinstance(r, Invoke)}
    answers = [record for record in history if isinstance(record, Answer)]
    return [answer for answer in answers if begun[answer.user, answer.key] > moment]


def _fill(disk: Path, leave: int) -> Path:
    """Take all room but `leave` bytes."""
    ballast = disk / "ballast"
    status = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, status.f_bavail * status.f_frsize - leave))
    return ballast
