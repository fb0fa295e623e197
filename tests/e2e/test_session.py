"""A session's life:

heartbeats, refresh, replacement, expiry, the end. Protocol sections 5, 7 and 8.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import messagepack
from tests.e2e.rfc6455 import BINARY, PING, PONG, TEXT, Line
from tests.e2e.stranger import Stranger, decode, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

FAST = {"HIVEWIRE_HEARTBEAT__INTERVAL": "300ms", "HIVEWIRE_HEARTBEAT__TIMEOUT": "200ms"}


# -- pings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_id", [True, False])
async def test_a_ping_is_answered_with_the_head(
    node: Node, name: Name, encoding: str, *, with_id: bool
) -> None:
    me = name("ann")
    async with await Stranger.join(node, me, encoding=encoding) as ann:
        await ann.send(f"user:{me}", "x", key())
        if with_id:
            assert await ann.call("ping", id=9) == {"op": "pong", "id": 9, "head": 1}
        else:
            ann.tell("ping")
            assert await ann.push() == {"op": "pong", "head": 1}


@pytest.mark.parametrize("spelling", ["exact", "spaced", "more fields"])
async def test_every_spelling_of_a_ping_is_a_ping(node: Node, name: Name, spelling: str) -> None:
    raw = {
        "exact": b'{"op":"ping"}',
        "spaced": b' { "op" : "ping" } ',
        "more fields": b'{"x":1,"op":"ping"}',
    }[spelling]
    async with await Stranger.join(node, name("ann")) as ann:
        ann.line.send(TEXT, raw)
        assert await ann.push() == {"op": "pong", "head": 0}


async def test_an_empty_message_is_a_ping(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        ann.line.send(TEXT if encoding == "json" else BINARY)
        assert await ann.push() == {"op": "pong", "head": 0}


async def test_websocket_pings_are_answered(node: Node, name: Name) -> None:
    line = await Line.open(node.edge)
    line.send(TEXT, json.dumps(_connect(name("ann"))).encode())
    await line.frame()
    line.send(PING, b"are you there")
    pong = await line.frame()
    assert (pong.opcode, pong.payload) == (PONG, b"are you there")
    line.send(PONG, b"nobody asked")
    line.send(TEXT, b"")
    assert decode(await line.frame(), "json") == {"op": "pong", "head": 0}
    line.abort()


async def test_pings_before_connect_are_answered(node: Node, encoding: str) -> None:
    ann = await Stranger.dial(node, encoding=encoding)
    ann.tell("ping")
    assert (await ann.push())["op"] == "pong"
    ann.cut()


# -- heartbeat --------------------------------------------------------------------------------


async def test_the_server_pings_when_nothing_has_arrived(
    start_node: Callable[..., Node], name: Name, encoding: str
) -> None:
    node = start_node(env=FAST)
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        assert ann.connected["heartbeat"]["interval_ms"] == 300
        for _ in range(3):
            assert await ann.push("ping", patience=1.0) == {"op": "ping", "head": 0}
        assert (await ann.call("ping"))["op"] == "pong"


async def test_a_busy_line_carries_no_pings(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(env=FAST)
    async with await Stranger.join(node, name("ann")) as ann:
        for _ in range(15):
            await ann.call("sync", after=0)
            await asyncio.sleep(0.08)
        assert "ping" not in [message["op"] for message in ann.received]


async def test_a_line_that_does_not_answer_is_dead_after_two_pings(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env=FAST)
    ann = await Stranger.dial(node, answer_pings=False)
    await ann.connect(token=token(name("ann")), device="phone")
    started = time.monotonic()
    end = await ann.ended(5)
    assert end.code in (4004, None)
    assert end.bye is None
    assert [m["op"] for m in ann.received] == ["connected", "ping", "ping"]
    assert 0.3 < time.monotonic() - started < 2.5


async def test_client_driven_heartbeat(start_node: Callable[..., Node], name: Name) -> None:
    """The server does not ping; it gives up when nothing came for 2 * interval + timeout."""
    node = start_node(env=FAST)
    async with await Stranger.join(node, name("ann"), heartbeat={"from": "client"}) as ann:
        granted = ann.connected["heartbeat"]
        assert granted["from"] == "client"
        assert await ann.call("heartbeat", interval_ms=20_000, **{"from": "client"}) == {
            "op": "heartbeat", "id": ann.received[-1]["id"],
            "interval_ms": 20_000, "timeout_ms": granted["timeout_ms"], "from": "client",
        }  # fmt: skip
        await asyncio.sleep(1.2)
        assert (await ann.call("ping"))["op"] == "pong"
        assert "ping" not in [message["op"] for message in ann.received]


@pytest.mark.parametrize(("asked", "granted"), [(1, 15_000), (30_000, 30_000), (10**9, 300_000)])
async def test_the_interval_is_clamped(
    node: Node, name: Name, encoding: str, asked: int, granted: int
) -> None:
    async with await Stranger.join(
        node, name("ann"), encoding=encoding, heartbeat={"interval_ms": asked}
    ) as ann:
        assert ann.connected["heartbeat"]["interval_ms"] == granted
        answer = await ann.call("heartbeat", interval_ms=asked, **{"from": "server"})
        assert (answer["op"], answer["interval_ms"], answer["from"]) == (
            "heartbeat",
            granted,
            "server",
        )


@pytest.mark.parametrize("wish", [{"from": "nobody"}, {"interval_ms": "x"}, {"interval_ms": 1.5}])
async def test_a_wrong_heartbeat_is_told(node: Node, name: Name, wish: dict[str, Any]) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        error = await ann.refused("heartbeat", **wish)
        assert error["code"] == "bad_request"
        assert error["field"] in wish


# -- refresh and expiry -----------------------------------------------------------------------


async def test_refresh_extends_the_session(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        answer = await ann.call("refresh", token=token(name("ann"), ttl=7200))
        assert answer["op"] == "ok"
        assert answer["token_expires"] >= ann.connected["token_expires"] + 3_500_000
    async with await Stranger.dial(node, encoding=encoding) as again:
        told = await again.connect(ticket=answer["ticket"], device="phone")
        assert told["token_expires"] == answer["token_expires"]


@pytest.mark.parametrize("bad", ["other user", "nonsense"])
async def test_a_refresh_that_is_not_good_changes_nothing(node: Node, name: Name, bad: str) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        spoiled = token(name("eve")) if bad == "other user" else "nonsense"
        error = await ann.refused("refresh", token=spoiled)
        assert error["code"] in ("unauthorized", "forbidden")
        assert (await ann.call("ping"))["op"] == "pong"


async def test_a_token_that_expires_on_the_line_is_4002(
    start_node: Callable[..., Node], name: Name
) -> None:
    """Good at connect; when its time is over, so is the line's."""
    node = start_node(env={"HIVEWIRE_AUTH__LEEWAY": "0s"})
    ann = await Stranger.dial(node)
    await ann.connect(token=token(name("ann"), ttl=2), device="phone")
    await ann.expect_closed(4002, patience=5)


async def test_a_refresh_in_time_keeps_the_line(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_AUTH__LEEWAY": "0s"})
    async with await Stranger.dial(node) as ann:
        await ann.connect(token=token(name("ann"), ttl=2), device="phone")
        await ann.call("refresh", token=token(name("ann"), ttl=60))
        await asyncio.sleep(2.5)
        assert (await ann.call("ping"))["op"] == "pong"


# -- replacement ------------------------------------------------------------------------------


async def test_the_same_device_connecting_again_replaces_its_older_line(
    node: Node, name: Name, encoding: str
) -> None:
    me = name("ann")
    old = await Stranger.join(node, me, encoding=encoding)
    async with await Stranger.join(node, me, encoding=encoding) as new:
        end = await old.expect_closed(4505)
        assert end.bye is not None
        await new.send(f"user:{me}", "still here", key())


async def test_other_devices_are_not_replaced(node: Node, name: Name) -> None:
    me = name("ann")
    async with (
        await Stranger.join(node, me, "phone") as phone,
        await Stranger.join(node, me, "desk") as desk,
    ):
        await phone.send(f"user:{me}", "x", key())
        assert (await desk.event())["seq"] == 1


async def test_acks_of_the_replaced_line_do_not_count(node: Node, name: Name) -> None:
    me = name("ann")
    old = await Stranger.join(node, me)
    for _ in range(3):
        await old.send(f"user:{me}", "x", key())
    new = await Stranger.join(node, me, cursor=1)
    old.tell("ack", seq=3)
    await old.ended()
    await asyncio.sleep(0.2)
    await new.leave()
    async with await Stranger.join(node, me) as again:
        assert again.connected["cursor"] == 1


async def test_i6_acks_that_wait_on_a_replaced_line_do_not_count(node: Node, name: Name) -> None:
    """They wait behind a page while the newer line of the device connects."""
    me = name("ann")
    async with await Stranger.join(node, name("cat")) as cat:
        old = await Stranger.join(node, me)
        for _ in range(3):
            await old.send(f"user:{me}", "x", key())
        for turn in range(100):
            new = await Stranger.dial(node)
            load = [cat.ask("send", to=f"user:{me}.sink", key=key(), text="x") for _ in range(3)]
            connecting = new.ask("connect", token=token(me), device="phone", cursor=1)
            await asyncio.sleep(turn % 9 / 20_000)
            old.write([{"op": "sync", "id": 91, "after": 0}, {"op": "ack", "seq": 3}])
            await asyncio.gather(connecting, *load)
            await old.ended()
            await asyncio.sleep(0.005)
            again = await Stranger.join(node, me)
            assert again.connected["cursor"] == 1
            old = again
        await old.leave()


async def test_a_device_that_flaps_keeps_one_line(node: Node, name: Name) -> None:
    me = name("ann")
    lines = await asyncio.gather(*(Stranger.join(node, me) for _ in range(8)))
    await asyncio.sleep(0.3)
    left = [line for line in lines if not line.over()]
    assert len(left) == 1
    await left[0].leave()


# -- the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_client_that_closes_gets_its_close_back(node: Node, name: Name, code: int) -> None:
    ann = await Stranger.join(node, name("ann"))
    ann.line.close(code)
    end = await ann.ended()
    assert end.code in (code, 1000)
    assert end.bye is None


async def test_drain_on_sigterm(start_node: Callable[..., Node], name: Name) -> None:
    """Everyone is told when to come back, what was taken is done, and the node exits with 0."""
    node = start_node(env={"HIVEWIRE_DRAIN__SPREAD": "500ms"})
    me = name("ann")
    lines = [
        await Stranger.join(node, me, f"d{at}", encoding=["json", "msgpack"][at % 2])
        for at in range(6)
    ]
    sends = [line.ask("send", to=f"user:{me}", key=key(), text="last") for line in lines]
    await asyncio.gather(*sends)
    node.terminate()
    for line in lines:
        end = await line.expect_closed(4000)
        assert end.bye is not None
        assert 0 <= end.bye["delay_ms"] <= 5_000
    assert await asyncio.to_thread(node.wait) == 0
    await asyncio.to_thread(node.restart)
    async with await Stranger.join(node, me, "d0", cursor=0) as again:
        assert len(await again.read_all()) == 6


async def test_commands_taken_before_the_bye_are_done(
    start_node: Callable[..., Node], name: Name
) -> None:
    """Each send that was answered while the drain went on is there afterwards."""
    node = start_node()
    me = name("ann")
    ann = await Stranger.join(node, me)
    keys = [key() for _ in range(30)]
    asked = [ann.ask("send", to=f"user:{me}", key=k, text="x") for k in keys]
    node.terminate()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert await asyncio.to_thread(node.wait) == 0
    answered = {k for k, a in zip(keys, answers, strict=True) if isinstance(a, dict) and "n" in a}
    await asyncio.to_thread(node.restart)
    async with await Stranger.join(node, me, cursor=0) as again:
        there = {event["key"] for event in await again.read_all()}
    assert answered <= there


async def test_a_draining_node_takes_no_more_connections(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"))
    node.terminate()
    await ann.expect_closed(4000)
    with pytest.raises((ConnectionError, Exception)):
        await Stranger.join(node, name("ann"))
    assert await asyncio.to_thread(node.wait) == 0


async def test_no_session_and_no_token_is_in_the_log(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    secret = token(name("ann"))
    async with await Stranger.dial(node) as ann:
        await ann.connect(token=secret, device="phone")
        ticket = ann.connected["ticket"]
    bad = await Stranger.dial(node)
    bad.tell("connect", id=1, device="phone", token=secret + "x")
    await bad.expect_closed(4500)
    node.stop()
    assert secret not in node.stderr()
    assert ticket not in node.stderr()


# -- compression ------------------------------------------------------------------------------


async def test_deflate_is_off_unless_the_config_turns_it_on(node: Node, name: Name) -> None:
    async with await Stranger.dial(node, deflate=True) as ann:
        assert "sec-websocket-extensions" not in ann.line.headers
        await ann.connect(token=token(name("ann")), device="phone")


async def test_deflated_lines_carry_the_same(
    start_node: Callable[..., Node], name: Name, encoding: str
) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__DEFLATE": "true"})
    text = "all work and no play " * 100
    async with await Stranger.dial(node, encoding=encoding, deflate=True) as ann:
        assert "permessage-deflate" in ann.line.headers["sec-websocket-extensions"]
        await ann.connect(token=token(name("ann")), device="phone")
        ann.deflate = True
        await ann.send(f"user:{name('bob')}", text, key())
    async with await Stranger.dial(node, encoding=encoding, deflate=True) as bob:
        await bob.connect(token=token(name("bob")), device="phone", cursor=0)
        (event,) = await bob.read_all()
    assert event["text"] == text
    assert bob.deflated > 0, "the page was not compressed"


def _connect(user: str) -> dict[str, Any]:
    return {"op": "connect", "id": 1, "token": token(user), "device": "phone"}


def test_messagepack_of_the_heartbeat_is_the_twin_of_the_json() -> None:
    assert messagepack.unpack(messagepack.pack({"op": "ping"})) == {"op": "ping"}
    assert messagepack.pack({"op": "ping"}) == b"\x81\xa2op\xa4ping"
