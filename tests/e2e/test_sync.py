"""Receiving, acks, catching up: protocol section 5. I3 I5 I6 I7."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

CURSOR_SECONDS = 0.35
"""An ack is written within 100 ms; the rest is for a busy machine."""


async def write_notes(node: Node, user: str, count: int, size: int = 5) -> None:
    """Put `count` notes into a timeline from a device that no test uses."""
    async with await Stranger.join(node, user, "writer") as writer:
        for begin in range(0, count, 20):
            asked = [
                writer.ask("send", to=f"user:{user}", key=key(), text=f"{at:0{size}}")
                for at in range(begin, min(begin + 20, count))
            ]
            await asyncio.gather(*asked)


async def test_a_page_has_what_follows(node: Node, name: Name, encoding: str) -> None:
    await write_notes(node, name("ann"), 5)
    async with await Stranger.join(node, name("ann"), cursor=0, encoding=encoding) as ann:
        page = await ann.sync(1, 2)
        assert [event["seq"] for event in page["events"]] == [2, 3]
        assert [event["text"] for event in page["events"]] == ["00001", "00002"]
        rest = {field: page[field] for field in page if field not in ("op", "id", "events")}
        assert rest == {"next": 3, "head": 5, "done": False, "trimmed_before": 1}
        page = await ann.sync(3, 2)
        assert ([event["seq"] for event in page["events"]], page["done"]) == ([4, 5], True)


async def test_a_page_at_the_head_is_empty_and_done(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        page = await ann.sync(0)
    assert (page["events"], page["next"], page["head"], page["done"]) == ([], 0, 0, True)


async def test_the_limit_is_clamped_and_defaults_to_100(node: Node, name: Name) -> None:
    await write_notes(node, name("ann"), 510)
    async with await Stranger.join(node, name("ann"), cursor=0) as ann:
        assert len((await ann.sync(0, 100_000))["events"]) == 500
        assert len((await ann.sync(0))["events"]) == 100
        assert len((await ann.sync(0, 1))["events"]) == 1


async def test_a_page_ends_at_256_kib(node: Node, name: Name, encoding: str) -> None:
    await write_notes(node, name("ann"), 40, size=16_000)
    async with await Stranger.join(node, name("ann"), cursor=0, encoding=encoding) as ann:
        page = await ann.sync(0, 500)
        size = len(json.dumps(page, separators=(",", ":")))
        assert 128 * 1024 < size <= 300 * 1024
        assert page["done"] is False
        assert page["next"] == page["events"][-1]["seq"]
        events = await ann.read_all(0)
        assert [event["seq"] for event in events] == list(range(1, 41))


@pytest.mark.parametrize("limit", ["5", 1.5, 0, -1, None, True])
async def test_a_wrong_limit_is_told(node: Node, name: Name, limit: Any) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        error = await ann.refused("sync", after=0, limit=limit)
        assert (error["code"], error["field"]) == ("bad_request", "limit")


async def test_i6_sync_beyond_the_head_moves_nothing(node: Node, name: Name, encoding: str) -> None:
    await write_notes(node, name("ann"), 2)
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        error = await ann.refused("sync", after=3)
        assert (error["code"], error["field"]) == ("bad_request", "after")
        # Still live: the refused sync did not stop the pushes.
        await write_notes(node, name("ann"), 1)
        assert (await ann.event())["seq"] == 3


# -- live -------------------------------------------------------------------------------------


async def test_i7_not_live_nothing_is_pushed(node: Node, name: Name, encoding: str) -> None:
    me = name("ann")
    await write_notes(node, me, 3)
    async with await Stranger.join(node, me, cursor=0, encoding=encoding) as ann:
        await write_notes(node, me, 1)
        await ann.quiet()
        assert (await ann.sync(0, 2))["done"] is False
        await write_notes(node, me, 1)
        await ann.quiet()
        page = await ann.sync(2)
        assert ([e["seq"] for e in page["events"]], page["done"]) == ([3, 4, 5], True)
        await write_notes(node, me, 1)
        assert (await ann.event())["seq"] == 6


async def test_i7_a_sync_while_live_stops_the_pushes_until_its_last_page(
    node: Node, name: Name
) -> None:
    me = name("ann")
    await write_notes(node, me, 3)
    async with await Stranger.join(node, me) as ann:
        assert (await ann.sync(0, 1))["done"] is False
        await write_notes(node, me, 1)
        await ann.quiet()
        assert [event["seq"] for event in await ann.read_all(1)] == [2, 3, 4]
        await write_notes(node, me, 1)
        assert (await ann.event())["seq"] == 5
        await ann.quiet()


async def test_connected_at_the_head_is_live(node: Node, name: Name, encoding: str) -> None:
    me = name("ann")
    await write_notes(node, me, 2)
    async with await Stranger.join(node, me, cursor=2, encoding=encoding) as ann:
        await write_notes(node, me, 1)
        assert (await ann.event())["seq"] == 3


async def test_the_last_page_in_connected_is_live(node: Node, name: Name) -> None:
    me = name("ann")
    await write_notes(node, me, 2)
    async with await Stranger.join(node, me, cursor=0, sync=100) as ann:
        assert ann.connected["page"]["done"] is True
        await write_notes(node, me, 1)
        assert (await ann.event())["seq"] == 3


async def test_commands_work_while_catching_up(node: Node, name: Name) -> None:
    me = name("ann")
    await write_notes(node, me, 3)
    async with await Stranger.join(node, me, cursor=0) as ann:
        assert (await ann.send(f"user:{me}", "mine", key()))["seq"] == 4
        await ann.quiet()
        # Pages always contain one's own.
        assert [event["seq"] for event in await ann.read_all(0)] == [1, 2, 3, 4]


async def test_i5_all_devices_see_one_order(node: Node, name: Name) -> None:
    ann, bob = name("ann"), name("bob")
    encodings = {"phone": "json", "desk": "msgpack", "tab": "json"}
    lines = [await Stranger.join(node, ann, d, encoding=e) for d, e in encodings.items()]
    async with await Stranger.join(node, bob) as b:
        for _ in range(10):
            asked = [line.ask("send", to=f"user:{bob}", key=key(), text="x") for line in lines]
            asked.append(b.ask("send", to=f"user:{ann}", key=key(), text="x"))
            await asyncio.gather(*asked)
        await b.call("ping")
        seqs = [m["seq"] for m in b.received if m["op"] in ("event", "sent")]
        assert seqs == list(range(1, 41))
    for line in lines:
        await line.call("ping")
        seqs = [m["seq"] for m in line.received if m["op"] in ("event", "sent")]
        assert seqs == list(range(1, 41))
    timelines = [await line.read_all(0) for line in lines]
    assert timelines[0] == timelines[1] == timelines[2]
    for line in lines:
        await line.leave()


async def test_a_pong_tells_the_head_or_the_position(node: Node, name: Name) -> None:
    me = name("ann")
    await write_notes(node, me, 3)
    async with await Stranger.join(node, me, cursor=1) as ann:
        assert (await ann.call("ping"))["head"] == 1, "not live: its position"
        await ann.sync(1, 1)
        assert (await ann.call("ping"))["head"] == 2
        await ann.sync(2)
        assert (await ann.call("ping"))["head"] == 3


# -- acks -------------------------------------------------------------------------------------


async def stored_cursor(node: Node, user: str, device: str = "phone") -> int:
    async with await Stranger.join(node, user, device) as line:
        return line.connected["cursor"]


async def test_a_good_ack_is_not_answered_but_with_an_id(
    node: Node, name: Name, encoding: str
) -> None:
    await write_notes(node, name("ann"), 2)
    async with await Stranger.join(node, name("ann"), cursor=0, encoding=encoding) as ann:
        ann.tell("ack", seq=1)
        await ann.call("ping")
        assert [m["op"] for m in ann.received] == ["connected", "pong"]
        assert await ann.call("ack", id=44, seq=2) == {"op": "ok", "id": 44}
    assert await stored_cursor(node, name("ann")) == 2


async def test_i6_an_ack_moves_forward_only(node: Node, name: Name) -> None:
    await write_notes(node, name("ann"), 3)
    async with await Stranger.join(node, name("ann"), cursor=0) as ann:
        await ann.call("ack", seq=3)
        assert (await ann.call("ack", seq=1))["op"] == "ok"
        assert (await ann.call("ack", seq=0))["op"] == "ok"
    assert await stored_cursor(node, name("ann")) == 3


async def test_i6_an_ack_beyond_the_head_moves_nothing(
    node: Node, name: Name, encoding: str
) -> None:
    await write_notes(node, name("ann"), 2)
    async with await Stranger.join(node, name("ann"), cursor=1, encoding=encoding) as ann:
        error = await ann.refused("ack", seq=3)
        assert (error["code"], error["field"]) == ("bad_request", "seq")
        ann.tell("ack", seq=9)
        error = await ann.push("error")
        assert (error["code"], error["for"]) == ("bad_request", "ack")
    assert await stored_cursor(node, name("ann")) == 1


async def test_the_next_page_acknowledges_the_one_before(node: Node, name: Name) -> None:
    await write_notes(node, name("ann"), 4)
    async with await Stranger.join(node, name("ann"), cursor=0) as ann:
        page = await ann.sync(0, 2)
        await ann.sync(page["next"], 1)
    assert await stored_cursor(node, name("ann")) == 2


async def test_i6_sync_never_moves_a_cursor_back(node: Node, name: Name) -> None:
    await write_notes(node, name("ann"), 4)
    async with await Stranger.join(node, name("ann"), cursor=0) as ann:
        await ann.call("ack", seq=4)
        await ann.sync(1)
    assert await stored_cursor(node, name("ann")) == 4


@pytest.mark.parametrize("seq", [-1, 1.5, "1", None, 2**53, 2**64, True])
async def test_a_wrong_seq_is_told(node: Node, name: Name, seq: Any) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        error = await ann.refused("ack", seq=seq)
        assert (error["code"], error["field"]) == ("bad_request", "seq")


# -- after a kill -----------------------------------------------------------------------------


async def test_i12_what_was_acknowledged_100_ms_ago_survives_a_kill(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    me = name("ann")
    await write_notes(node, me, 5)
    ann = await Stranger.join(node, me, cursor=0)
    ann.tell("ack", seq=4)
    await asyncio.sleep(CURSOR_SECONDS)
    ann.cut()
    node.kill9()
    await asyncio.to_thread(node.restart)
    assert await stored_cursor(node, me) == 4


async def test_i12_a_given_cursor_and_a_new_device_are_durable_before_connected(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    me = name("ann")
    await write_notes(node, me, 5)
    old = await Stranger.join(node, me, "old", cursor=2)
    new = await Stranger.join(node, me, "new")
    node.kill9()
    old.cut()
    new.cut()
    await asyncio.to_thread(node.restart)
    assert await stored_cursor(node, me, "old") == 2
    async with await Stranger.join(node, me, "new") as again:
        assert (again.connected["new_device"], again.connected["cursor"]) == (False, 5)


async def test_i12_messages_keys_and_epoch_survive_kills(
    start_node: Callable[..., Node], name: Name, encoding: str
) -> None:
    node = start_node()
    ann, bob = name("ann"), name("bob")
    k = key()
    a = await Stranger.join(node, ann, encoding=encoding)
    sent = await a.send(f"user:{bob}", "hi", k)
    a.cut()
    node.kill9()
    await asyncio.to_thread(node.restart)
    async with await Stranger.join(node, ann, encoding=encoding) as again:
        assert again.connected["epoch"] == a.connected["epoch"]
        resent = await again.send(f"user:{bob}", "hi", k)
        assert resent == sent | {"id": resent["id"], "dup": True}
        assert (await again.send(f"user:{bob}", "next", key()))["n"] == 2
    async with await Stranger.join(node, bob, cursor=0, encoding=encoding) as b:
        assert [(e["seq"], e["text"]) for e in await b.read_all()] == [(1, "hi"), (2, "next")]
