"""Heartbeats that carry the head, on lines with groups and channels. Row C2, C6's silent lines.

The rules of the heartbeat itself are told in test_session.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.stranger import Stranger, company, key
from tests.node import Node
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Name = Callable[[str], str]


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that pings a line after 400 ms of silence and waits 300 ms for the answer."""
    env = {"HIVEWIRE_HEARTBEAT__INTERVAL": "400ms", "HIVEWIRE_HEARTBEAT__TIMEOUT": "300ms"}
    node = Node(tmp_path_factory.mktemp("fast") / "data", env=env).start()
    yield node
    node.stop()
    node.assert_calm()


async def test_c2_the_servers_ping_carries_the_head(fast: Node, name: Name, encoding: str) -> None:
    async with company(fast, name, "ann bob", encoding) as (ann, bob):
        assert (await bob.push("ping", patience=2))["head"] == 0
        group = await ann.make_group(bob.user)
        await bob.events(group["head"])
        assert (await bob.push("ping", patience=2))["head"] == group["head"]


async def test_c2_the_head_is_never_ahead_of_the_events(fast: Node, name: Name) -> None:
    async with company(fast, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            asked = [ann.ask("send", to=group["conv"], key=key(), text="x") for _ in range(5)]
            await bob.call("ping")
            await asyncio.gather(*asked)
            await asyncio.sleep(0.02)
        got = 0
        for message in bob.received:
            if message["op"] == "event":
                assert message["seq"] == got + 1
                got = message["seq"]
            elif message["op"] in ("ping", "pong"):
                assert message["head"] == got
        assert got > 50


async def test_c2_only_an_idle_line_is_pinged(fast: Node, name: Name) -> None:
    """What the client sends is life, whatever it is; what it gets is not."""
    async with company(fast, name, "ann bob") as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "1", key()))["conv"]
        mark = len(ann.received)
        for _ in range(12):
            ann.tell("typing", conv=conv, state="start")
            await asyncio.sleep(0.1)
        assert not ann.pushed("ping", since=mark)
        await bob.push("ping", patience=2)


async def test_c2_dead_after_two_unanswered_not_after_one(fast: Node, name: Name) -> None:
    ann = await Stranger.dial(fast, answer_pings=False)
    await ann.connect(token=token(name("ann")), device="phone")
    await ann.push("ping", patience=2)
    ann.tell("pong")
    await ann.push("ping", patience=2)
    await ann.push("ping", patience=2)
    end = await ann.ended(3)
    assert end.code in (4004, None)
    assert end.bye is None
    assert len(ann.pushed("ping")) == 3


async def test_c2_who_pings_can_be_changed_while_connected(
    fast: Node, name: Name, encoding: str
) -> None:
    async with await Stranger.join(fast, name("ann"), encoding=encoding) as ann:
        granted = await ann.call("heartbeat", interval_ms=20_000, **{"from": "client"})
        assert (granted["interval_ms"], granted["from"]) == (20_000, "client")
        mark = len(ann.received)
        await asyncio.sleep(1.2)
        assert not ann.pushed("ping", since=mark)
        assert (await ann.call("ping"))["op"] == "pong"


async def test_c2_up_to_five_minutes(node: Node, name: Name, encoding: str) -> None:
    wish = {"interval_ms": 300_000, "from": "client"}
    async with await Stranger.join(node, name("ann"), encoding=encoding, heartbeat=wish) as ann:
        granted = ann.connected["heartbeat"]
        assert (granted["interval_ms"], granted["from"]) == (300_000, "client")
        assert granted["timeout_ms"] > 0
    # It ends with the connection.
    async with await Stranger.join(node, name("ann"), encoding=encoding) as again:
        told = again.connected["heartbeat"]
        assert (told["interval_ms"], told["from"]) == (25_000, "server")


async def test_c2_first_pings_do_not_come_at_once(fast: Node, name: Name) -> None:
    """The first deadline is jittered: twenty lines opened together are not pinged together.

    A machine that stands still for half a second hands over all pings at once, jittered or not:
    such a round shows nothing, and the next one is looked at.
    """
    for _ in range(5):
        if await spread_of_first_pings(fast, name) > 0.05:
            return
    pytest.fail("five rounds of twenty lines, each pinged all at once")


async def spread_of_first_pings(node: Node, name: Name) -> float:
    """Seconds between the first and the last of the first pings of twenty lines."""
    people = " ".join(f"u{at}" for at in range(20))
    async with company(node, name, people) as lines:
        first: list[float] = []
        for line in lines:
            line.on_receive = lambda message: (
                first.append(time.monotonic()) if message["op"] == "ping" else None
            )
        await asyncio.sleep(1.0)
        assert len(first) >= 20
        return max(first[:20]) - min(first[:20])
