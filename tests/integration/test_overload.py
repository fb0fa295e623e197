"""Too much, too slow, gone silent:

it hurts only the one who does it. Rows "too fast", R7, R8. I8.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import TYPE_CHECKING

from tests.e2e.rfc6455 import PING, TEXT, Line
from tests.e2e.stranger import Stranger, key
from tests.integration.test_bad_frames import open_line
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

FAST = {"HIVEWIRE_HEARTBEAT__INTERVAL": "400ms", "HIVEWIRE_HEARTBEAT__TIMEOUT": "200ms"}


async def deaf_line(node: Node, user: str, device: str = "deaf") -> Stranger:
    """Connect with a small receive buffer and stop reading."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(node.edge)
    raw.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    line = Line(reader, writer)
    from tests.e2e.rfc6455 import request

    writer.write(request()[0])
    assert (await line.http_response())[0] == 101
    stranger = Stranger(line, "json", answer_pings=False)
    await stranger.connect(token=token(user), device=device)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return stranger


async def test_i8_a_slow_reader_is_closed_and_hurts_only_itself(
    start_node: Callable[..., Node], name: Name
) -> None:
    """Outbox over its hard bound:

    4003; the others get everything, and so does the slow one later.
    """
    node = start_node(
        env={"HIVEWIRE_LIMITS__OUTBOX_HARD": "128KiB", "HIVEWIRE_LIMITS__OUTBOX_SOFT": "32KiB"}
    )
    ann, bob = name("ann"), name("bob")
    deaf = await deaf_line(node, bob)
    async with (
        await Stranger.join(node, ann) as a,
        await Stranger.join(node, bob, "phone") as healthy,
    ):
        slowest = 0.0
        for number in range(600):
            started = time.monotonic()
            await a.send(f"user:{bob}", f"{number:04}" + "x" * 12_000, key())
            slowest = max(slowest, time.monotonic() - started)
        await healthy.call("ping")
        texts = [m["text"][:4] for m in healthy.received if m["op"] == "event"]
        assert texts == [f"{number:04}" for number in range(600)]
        assert slowest < 2.0
    deaf.line.writer.transport.resume_reading()  # type: ignore[attr-defined]
    end = await deaf.ended()
    assert end.code in (4003, None), "the Close may not fit behind what it did not read"
    assert end.bye is None
    got = [m["seq"] for m in deaf.received if m["op"] == "event"]
    assert got == list(range(1, len(got) + 1))
    assert len(got) < 600
    async with await Stranger.join(node, bob, "deaf", cursor=len(got)) as back:
        assert [e["seq"] for e in await back.read_all(len(got))] == list(range(len(got) + 1, 601))


async def test_i8_answers_to_its_own_commands_never_doom_a_line(
    start_node: Callable[..., Node], name: Name
) -> None:
    """Pages of 200 KiB asked at once, read late: the next command waits, nobody is closed."""
    node = start_node()
    me = name("ann")
    async with await Stranger.join(node, me, "writer") as writer:
        for _ in range(16):
            await writer.send(f"user:{me}", "x" * 15_000, key())
    deaf = await deaf_line(node, me)
    asked = [deaf.ask("sync", after=0, limit=500) for _ in range(40)]
    await asyncio.sleep(1.0)
    deaf.line.writer.transport.resume_reading()  # type: ignore[attr-defined]
    pages = await asyncio.gather(*asked)
    assert [len(page["events"]) for page in pages] == [16] * 40
    await deaf.leave()


async def test_i8_memory_stays_bounded_by_slow_readers(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(
        env={"HIVEWIRE_LIMITS__OUTBOX_HARD": "256KiB", "HIVEWIRE_LIMITS__OUTBOX_SOFT": "64KiB"}
    )
    users = [name(f"u{at}") for at in range(10)]
    deaf = [await deaf_line(node, user) for user in users]
    before = node.resident_bytes()
    async with await Stranger.join(node, name("ann")) as ann:
        for _ in range(100):
            asked = [
                ann.ask("send", to=f"user:{user}", key=key(), text="x" * 15_000) for user in users
            ]
            await asyncio.gather(*asked)
    assert node.resident_bytes() - before < 60 << 20
    for line in deaf:
        line.cut()


async def test_r8_half_open_lines_are_found(start_node: Callable[..., Node], name: Name) -> None:
    """A client that is stopped answers nothing:

    gone in two intervals, and its messages wait for it.
    """
    node = start_node(env=FAST)
    ann, bob = name("ann"), name("bob")
    frozen = await Stranger.dial(node, answer_pings=False)
    await frozen.connect(token=token(bob), device="phone")
    end = await frozen.ended(5)
    assert end.code in (4004, None)
    async with await Stranger.join(node, ann) as a:
        await a.send(f"user:{bob}", "while you slept", key())
    async with await Stranger.join(node, bob, "phone") as back:
        (event,) = await back.read_all(back.connected["cursor"])
        assert event["text"] == "while you slept"


async def test_overload_does_not_kill_the_healthy(
    start_node: Callable[..., Node], name: Name
) -> None:
    """While the node stops reading under load, heartbeat deadlines stand still:

    nobody who answers dies.
    """
    node = start_node(env=FAST | {"HIVEWIRE_LIMITS__INBOUND_BYTES": "64KiB"})
    quiet = [await Stranger.join(node, name(f"q{at}")) for at in range(5)]
    loud = [await Stranger.join(node, name(f"l{at}")) for at in range(6)]
    until = time.monotonic() + 4

    async def flood(line: Stranger) -> None:
        while time.monotonic() < until:
            asked = [
                line.ask("send", to=f"user:{name('sink')}", key=key(), text="x" * 4000)
                for _ in range(30)
            ]
            await asyncio.gather(*asked)

    await asyncio.gather(*map(flood, loud))
    for line in [*quiet, *loud]:
        assert not line.over(), f"{line.connected['user']}: {await line.ended()}"
        await line.call("ping")
        await line.leave()


async def test_i8_control_frames_have_a_limit(node: Node, name: Name) -> None:
    """Ten a second are free; a flood of pings is closed with 4013."""
    line = await open_line(node, name("ann"))
    for _ in range(10):
        line.send(PING, b"x")
    for _ in range(10):
        assert (await line.frame()).payload == b"x"
    for _ in range(500):
        line.send(PING, b"x")
    await line.expect_close(4013)
    line.abort()


async def test_i8_faster_than_three_times_the_limit_for_10_s_is_4013(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_LIMITS__SENDS_PER_SECOND": "5"})
    ann = await Stranger.join(node, name("ann"))
    started = time.monotonic()
    while not ann.over() and time.monotonic() - started < 20:
        ann.ask("send", to=f"user:{name('b')}", key=key(), text="x")
        await asyncio.sleep(0.02)
    await ann.expect_closed(4013)
    assert time.monotonic() - started > 8


async def test_many_connections_come_and_go(start_node: Callable[..., Node], name: Name) -> None:
    """300 connects and cuts: no descriptor, no slot is left behind, and the counts agree."""
    node = start_node()
    before = node.descriptors()
    for begin in range(0, 300, 50):
        users = [name(f"u{at}") for at in range(begin, begin + 50)]
        lines = await asyncio.gather(*(Stranger.join(node, user) for user in users))
        for line in lines:
            line.cut()
    async with asyncio.timeout(5):
        while node.descriptors() > before + 5:  # noqa: ASYNC110 - the kernel is watched
            await asyncio.sleep(0.05)
    async with await Stranger.join(node, name("last")) as last:
        last.line.send(TEXT, b"")
        assert (await last.push())["op"] == "pong"


async def test_devices_that_vanish_while_connecting_leave_nothing_behind(
    node: Node, name: Name
) -> None:
    """Cut before `connected` could be written: no session stays to be counted or pushed to."""
    me = name("ann")
    for at in range(60):
        line = await Line.open(node.edge)
        connect = {"op": "connect", "id": 1, "token": token(me), "device": f"d{at}"}
        line.send(TEXT, json.dumps(connect).encode())
        await asyncio.sleep(0.002 * (at % 3))
        line.abort()
    await asyncio.sleep(0.3)
    lines = [await Stranger.join(node, me, f"late{at}") for at in range(10)]
    await lines[0].send(f"user:{me}", "x", key())
    for line in lines[1:]:
        assert (await line.event())["seq"] == 1
    for line in lines:
        await line.leave()
