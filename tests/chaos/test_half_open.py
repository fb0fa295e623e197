"""R8: lines that died without a word are found in two intervals, and what was sent waits. I1 I7."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import assert_did_enough
from tests.chaos.fleet import Fleet
from tests.chaos.history import Silent
from tests.chaos.scale import judge, scaled, seeded
from tests.chaos.tunnel import Tunnel
from tests.e2e.stranger import Stranger, key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.device import Device
    from tests.node import Node

INTERVAL = 1.0
FAST = {"HIVEWIRE_HEARTBEAT__INTERVAL": "1s", "HIVEWIRE_HEARTBEAT__TIMEOUT": "400ms"}
CLOSING = 3.0
"""So long a Close is waited for, which a dead line does not answer."""
GONE_SECONDS = 2 * INTERVAL + CLOSING + 1.0
"""With this machine's share."""
TUNNELS = 6


@pytest.mark.timeout(180)
async def test_i7_phones_in_tunnels_lose_nothing(
    start_node: Callable[..., Node], tmp_path: Path
) -> None:
    """Under load, lines go dark: some come back as they were, of some nothing ever arrives."""
    rng, node = seeded(), start_node(env=FAST)
    async with (
        Tunnel(node) as tunnel,
        Fleet(node, rng, users=4, devices=2, pause=0.01, silence=2.0) as fleet,
    ):
        phones = fleet.devices[1::2]
        for phone in phones:
            phone.way = tunnel
            phone.cut()
        await fleet.progress(150)
        forgotten = []
        for turn in range(scaled(TUNNELS)):
            phone = await _a_live_one(fleet, phones)
            line = tunnel.line_of(phone.port)
            fleet.history.append(Silent(*phone.stamp()))
            if turn % 2:
                line.hold()
                await asyncio.sleep(rng.uniform(0.1, 1.5))
                line.go_on()
            else:
                line.forget()
                forgotten.append((line, time.monotonic()))
            await fleet.progress(30)
        for line, since in forgotten:
            await asyncio.wait_for(asyncio.shield(line.done), GONE_SECONDS)
            assert line.given_up_at is not None
            assert line.given_up_at - since < GONE_SECONDS
        await fleet.heal()
    judge(fleet.history, tmp_path)
    assert_did_enough(fleet.history, answered=150)


async def _a_live_one(fleet: Fleet, phones: list[Device]) -> Device:
    async with asyncio.timeout(20):
        while not (live := [phone for phone in phones if phone.live]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return fleet.rng.choice(live)


async def test_r8_a_stopped_client_is_gone_in_two_intervals_and_its_messages_wait(
    start_node: Callable[..., Node], name: Callable[[str], str]
) -> None:
    """SIGSTOP: its kernel acknowledges every byte, and nobody reads them."""
    node, ann, bob = start_node(env=FAST), name("ann"), name("bob")
    command = [sys.executable, "-m", "tests.chaos.sleeper", *map(str, node.edge), bob]
    sleeper = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert sleeper.stdout is not None
    try:
        assert (await sleeper.stdout.readline()).split() == [b"connected", b"0"]
        async with await Stranger.join(node, ann) as a, await Stranger.join(node, bob, "desk") as b:
            await a.send(f"user:{bob}", "awake", key())
            assert (await sleeper.stdout.readline()).split() == [b"1", b"awake"]
            os.kill(sleeper.pid, signal.SIGSTOP)
            stopped = time.monotonic()
            await a.send(f"user:{bob}", "asleep", key())
            await _only_two_left(node)
            assert time.monotonic() - stopped < GONE_SECONDS
            await a.send(f"user:{bob}", "still asleep", key())
            assert [event["text"] for event in await b.events(3)] == [
                *("awake", "asleep", "still asleep"),
            ]
        os.kill(sleeper.pid, signal.SIGCONT)
        rest = (await asyncio.wait_for(sleeper.stdout.read(), 10)).splitlines()
        # What lay in its buffers, then the end, which may have come without a Close.
        assert rest[0] == b"2 asleep"
        assert rest[-1] in (b"closed 4004", b"closed None")
        async with await Stranger.join(node, bob, "phone") as back:
            cursor = back.connected["cursor"]
            texts = [event["text"] for event in await back.read_all(cursor)]
            assert texts == ["awake", "asleep", "still asleep"][cursor:]
    finally:
        if sleeper.returncode is None:
            sleeper.kill()
        await sleeper.wait()


async def _only_two_left(node: Node) -> None:
    async with asyncio.timeout(20):
        while await _connections(node) > 2:  # noqa: ASYNC110 - a figure is watched
            await asyncio.sleep(0.05)


async def _connections(node: Node) -> int:
    """What the node says of its open connections."""
    reader, writer = await asyncio.open_connection(*node.api)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    (line,) = [row for row in text.splitlines() if row.startswith("hivewire_connections ")]
    return int(float(line.split()[1]))
