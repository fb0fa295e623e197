"""What is older than the retention leaves the timelines of a running node, kills or not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.e2e.stranger import Stranger, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

SHORT = {"HIVEWIRE_STORE__RETENTION": "1s", "HIVEWIRE_STORE__RETENTION_PASS": "100ms"}
PATIENCE = 20.0


async def trimmed(node: Node, user: str, floor: int) -> Stranger:
    """Come again until the timeline begins at `floor`; the line of the last time."""
    async with asyncio.timeout(PATIENCE):
        while True:
            line = await Stranger.join(node, user, "probe", cursor=0, sync=100)
            if line.connected["trimmed_before"] >= floor:
                return line
            await line.leave()
            await asyncio.sleep(0.1)


async def test_old_events_go_and_messages_stay(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(env=SHORT)
    bob = name("bob")
    async with await Stranger.join(node, name("ann")) as ann:
        for number in range(3):
            sent = await ann.send(f"user:{bob}", f"text {number}", key())
        line = await trimmed(node, bob, 4)
        page = line.connected["page"]
        assert (page["events"], page["head"], page["done"]) == ([], 3, True)
        assert len(await line.history(sent["conv"])) == 3
        # Who is live behind the trim gets the next number.
        await ann.send(f"user:{bob}", "fresh", key())
        assert (await line.event())["seq"] == 4
        await line.leave()


async def test_a_device_that_stayed_away_is_new_and_begins_at_the_head(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env=SHORT)
    bob = name("bob")
    async with await Stranger.join(node, name("ann")) as ann:
        await ann.send(f"user:{bob}", "hi", key())
        async with await Stranger.join(node, bob, "old", cursor=0) as old:
            assert old.connected["new_device"]
        line = await trimmed(node, bob, 2)
        await line.leave()
        async with asyncio.timeout(PATIENCE):
            while True:
                async with await Stranger.join(node, bob, "old") as old:
                    if old.connected["new_device"]:
                        break
                await asyncio.sleep(1.2)
        assert (old.connected["cursor"], old.connected["head"]) == (1, 1)


async def test_i12_killed_while_it_trims_a_node_starts_and_its_data_are_in_order(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env=SHORT | {"HIVEWIRE_STORE__RETENTION": "300ms"})
    users = [name(f"u{number}") for number in range(20)]
    for round_ in range(4):
        async with await Stranger.join(node, name("ann")) as ann:
            for number in range(60):
                await ann.send(f"user:{users[number % 20]}", f"text {round_}", key())
        node.kill9()
        node.restart()
    lines = [await trimmed(node, user, 13) for user in users]
    for line in lines:
        assert line.connected["head"] == 12
        await line.leave()
    node.stop()
    command = [sys.executable, "-m", "hivewire", "verify", "--data", str(node.data)]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
