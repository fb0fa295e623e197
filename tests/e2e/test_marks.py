"""Delivered, read, unread, typing: who is told what. Row M9."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

GATHERED_SECONDS = 1.4
"""Receipts are gathered for up to 1 s; after this one that has not come is not on its way."""


async def item_of(line: Stranger, conv: str) -> dict[str, Any]:
    item = await line.conversation(conv)
    assert item is not None
    return item


async def test_m9_a_read_is_told_to_the_author_and_to_ones_own_devices(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann ann/desk bob bob/desk", encoding) as lines:
        ann, ann_desk, bob, bob_desk = lines
        for text in ("1", "2", "3"):
            conv = (await ann.send(f"user:{bob.user}", text, key()))["conv"]
        assert (await bob.call("read", conv=conv, n=2))["op"] == "ok"
        for line in (ann, ann_desk, bob_desk):
            receipt = await line.seen("receipt", conv=conv, user=bob.user, read=2)
            assert receipt.keys() == {"op", "conv", "user", "delivered", "read"}
            assert receipt["delivered"] >= 2, "read implies delivered"
        item = await item_of(bob, conv)
        assert (item["head"], item["read"], item["unread"]) == (3, 2, 1)
        item = await item_of(ann, conv)
        assert item["peers"][bob.user]["read"] == 2
        assert item["peers"][bob.user]["delivered"] >= 2


async def test_m9_read_on_one_device_is_read_on_all(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob bob/desk", encoding) as (ann, bob, desk):
        conv = (await ann.send(f"user:{bob.user}", "1", key()))["conv"]
        assert (await item_of(desk, conv))["unread"] == 1
        await bob.call("read", conv=conv, n=1)
        await desk.seen("receipt", conv=conv, user=bob.user, read=1)
        assert (await item_of(desk, conv))["unread"] == 0
    async with company(node, name, "bob/new") as (new,):
        item = await item_of(new, conv)
        assert (item["read"], item["unread"]) == (1, 0)


async def test_m9_a_read_without_an_id_is_not_answered(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "1", key()))["conv"]
        bob.tell("read", conv=conv, n=1)
        await ann.seen("receipt", conv=conv, user=bob.user, read=1)
        await bob.call("ping")
        assert not [m for m in bob.received if m["op"] in ("ok", "error")]


async def test_m9_marks_never_go_back(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        for text in ("1", "2", "3"):
            conv = (await ann.send(f"user:{bob.user}", text, key()))["conv"]
        for n in (3, 1, 2):
            await bob.call("read", conv=conv, n=n)
        await ann.seen("receipt", conv=conv, read=3)
        item = await item_of(bob, conv)
        assert (item["read"], item["unread"]) == (3, 0)
        await asyncio.sleep(GATHERED_SECONDS)
        reads = [receipt["read"] for receipt in ann.pushed("receipt", conv=conv)]
        assert reads == sorted(reads)


async def test_m9_a_read_beyond_the_head_marks_nothing_that_is_not_there(
    node: Node, name: Name
) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "1", key()))["conv"]
        await bob.ask("read", conv=conv, n=99)
        await ann.send(f"user:{bob.user}", "2", key())
        item = await item_of(bob, conv)
        assert item["read"] <= 1
        assert item["unread"] >= 1


# -- delivered --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ack", "sync", "connect"])
async def test_m9_what_a_device_holds_is_delivered(
    node: Node, name: Name, encoding: str, how: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        for text in ("1", "2", "3"):
            conv = (await ann.send(f"user:{bob.user}", text, key()))["conv"]
        if how == "ack":
            bob.tell("ack", seq=2)
        elif how == "sync":
            await bob.sync(2, 1)
        else:
            await bob.leave()
            await (await Stranger.join(node, bob.user, cursor=2)).leave()
        receipt = await ann.seen("receipt", conv=conv, user=bob.user, delivered=2)
        assert receipt["read"] == 0
        peers = (await item_of(ann, conv))["peers"]
        assert peers[bob.user] == {"delivered": 2, "read": 0}


async def test_m9_an_ack_counts_in_the_conversation_of_the_event(node: Node, name: Name) -> None:
    """`seq` orders the timeline, `n` the conversation: one ack, three conversations."""
    async with company(node, name, "ann bob cat") as (ann, bob, cat):
        group = await cat.make_group(ann.user, bob.user)
        first = await ann.send(f"user:{bob.user}", "1", key())
        second = await ann.send(group["conv"], "2", key())
        await ann.send(f"user:{bob.user}", "3", key())
        await bob.seen("event", conv=first["conv"], n=2)
        ours = await bob.seen("event", conv=second["conv"], n=second["n"])
        bob.tell("ack", seq=ours["seq"])
        await ann.seen("receipt", conv=first["conv"], user=bob.user, delivered=1)
        await ann.seen("receipt", conv=second["conv"], user=bob.user, delivered=second["n"])
        assert (await item_of(ann, first["conv"]))["peers"][bob.user]["delivered"] == 1


async def test_m9_what_is_pushed_and_not_acknowledged_is_not_delivered(
    node: Node, name: Name
) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "1", key()))["conv"]
        await bob.event()
        await asyncio.sleep(GATHERED_SECONDS)
        assert not ann.pushed("receipt", user=bob.user)
        assert (await item_of(ann, conv))["peers"][bob.user] == {"delivered": 0, "read": 0}


# -- groups -----------------------------------------------------------------------------------


async def test_m9_in_a_group_the_authors_are_told(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob bob/desk cat dan", encoding) as lines:
        ann, bob, desk, cat, dan = lines
        group = await dan.make_group(ann.user, bob.user, cat.user)
        conv = group["conv"]
        first = await ann.send(conv, "by ann", key())
        await bob.call("read", conv=conv, n=first["n"])
        await ann.seen("receipt", conv=conv, user=bob.user, read=first["n"])
        await desk.seen("receipt", conv=conv, user=bob.user, read=first["n"])
        second = await cat.send(conv, "by cat", key())
        await bob.call("read", conv=conv, n=second["n"])
        await cat.seen("receipt", conv=conv, user=bob.user, read=second["n"])
        await asyncio.sleep(GATHERED_SECONDS)
        assert not ann.pushed("receipt", user=bob.user, read=second["n"]), "covers none of hers"
        assert not cat.pushed("receipt", user=bob.user, read=first["n"])
        assert not dan.pushed("receipt"), "wrote no message"
        peers = (await item_of(ann, conv))["peers"]
        assert peers[bob.user]["read"] == second["n"]
        assert peers[dan.user]["read"] < first["n"]


@pytest.mark.parametrize(("members", "told"), [(100, True), (101, False)])
async def test_m9_receipts_and_typing_are_for_groups_of_up_to_100(
    node: Node, name: Name, members: int, *, told: bool
) -> None:
    async with company(node, name, "ann bob bob/desk") as (ann, bob, desk):
        others = [name(f"u{at}") for at in range(members - 2)]
        conv = (await ann.make_group(bob.user, *others))["conv"]
        sent = await ann.send(conv, "x", key())
        await bob.ask("typing", conv=conv, state="start")
        await bob.call("read", conv=conv, n=sent["n"])
        await desk.seen("receipt", conv=conv, user=bob.user, read=sent["n"])
        await asyncio.sleep(GATHERED_SECONDS)
        assert bool(ann.pushed("receipt", user=bob.user)) is told
        assert bool(ann.pushed("typing", user=bob.user)) is told
        assert bool((await item_of(ann, conv)).get("peers")) is told


async def test_m9_who_is_out_is_told_nothing_more(node: Node, name: Name) -> None:
    """Neither typing nor receipts of a group that one has left."""
    async with company(node, name, "ann bob cat") as (ann, bob, cat):
        group = await ann.make_group(bob.user, cat.user)
        conv = group["conv"]
        by_bob = await bob.send(conv, "x", key())
        await ann.call("group.remove", conv=conv, key=key(), members=[bob.user])
        mark = len(bob.received)
        await cat.call("typing", conv=conv, state="start")
        await cat.call("read", conv=conv, n=by_bob["n"])
        await ann.seen("typing", conv=conv)
        await asyncio.sleep(GATHERED_SECONDS)
        assert not bob.pushed("typing", since=mark)
        assert not bob.pushed("receipt", since=mark)


async def test_m9_a_burst_of_reads_makes_few_receipts(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user)
        conv, head = group["conv"], group["head"]
        for _ in range(40):
            await ann.send(conv, "x", key())
        for n in range(head + 1, head + 41):
            bob.tell("read", conv=conv, n=n)
        await ann.seen("receipt", conv=conv, user=bob.user, read=head + 40)
        assert len(ann.pushed("receipt", conv=conv, user=bob.user)) <= 10


async def test_m9_in_a_channel_nobody_else_is_told(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob bob/desk", encoding) as (ann, bob, desk):
        group = await ann.make_group(bob.user, kind="channel")
        conv = group["conv"]
        sent = await ann.send(conv, "x", key())
        await bob.call("read", conv=conv, n=sent["n"])
        await desk.seen("receipt", conv=conv, user=bob.user, read=sent["n"])
        await asyncio.sleep(GATHERED_SECONDS)
        assert not ann.pushed("receipt")
        item = await item_of(bob, conv)
        assert (item["read"], item["unread"]) == (sent["n"], 0)


# -- unread -----------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["direct", "group", "channel"])
async def test_m9_unread_counts_messages_of_others_that_are_not_recalled(
    node: Node, name: Name, encoding: str, to: str
) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        target = f"user:{bob.user}"
        if to != "direct":
            target = (await ann.make_group(bob.user, cat.user, kind=to))["conv"]
        sents = [await ann.send(target, f"{at}", key()) for at in range(4)]
        conv = sents[0]["conv"]
        assert (await item_of(bob, conv))["unread"] == 4
        assert (await item_of(ann, conv))["unread"] == 0, "one's own are not counted"
        await ann.call("edit", conv=conv, n=sents[0]["n"], key=key(), text="new")
        await ann.call("react", conv=conv, n=sents[1]["n"], key=key(), emoji="👍", on=True)
        assert (await item_of(bob, conv))["unread"] == 4, "an edit is no message"
        await ann.call("recall", conv=conv, n=sents[2]["n"], key=key())
        assert (await item_of(bob, conv))["unread"] == 3
        await bob.call("read", conv=conv, n=sents[1]["n"])
        assert (await item_of(bob, conv))["unread"] == 1
        await ann.call("recall", conv=conv, n=sents[0]["n"], key=key())
        assert (await item_of(bob, conv))["unread"] == 1, "below the mark already"
        await bob.call("read", conv=conv, n=sents[3]["n"])
        assert (await item_of(bob, conv))["unread"] == 0


async def test_m9_unread_is_each_members_own(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob cat") as (ann, bob, cat):
        group = await ann.make_group(bob.user, cat.user)
        conv = group["conv"]
        a = await ann.send(conv, "1", key())
        await bob.send(conv, "2", key())
        await cat.call("read", conv=conv, n=a["n"])
        unread = [(await item_of(line, conv))["unread"] for line in (ann, cat)]
        assert unread == [1, 1]


async def test_m9_a_new_members_marks_start_at_the_head(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group()
        conv = group["conv"]
        for _ in range(3):
            await ann.send(conv, "old", key())
        added = await ann.call("group.add", conv=conv, key=key(), members=[bob.user])
        item = await item_of(bob, conv)
        assert (item["unread"], item["read"]) == (0, added["head"])
        await ann.send(conv, "new", key())
        assert (await item_of(bob, conv))["unread"] == 1


# -- typing -----------------------------------------------------------------------------------


async def test_m9_typing_is_told_to_the_other_side(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob bob/desk eve", encoding) as (ann, bob, desk, eve):
        conv = (await ann.send(f"user:{bob.user}", "1", key()))["conv"]
        await bob.event()
        for state in ("start", "stop"):
            assert (await ann.call("typing", conv=conv, state=state))["op"] == "ok"
            for line in (bob, desk):
                assert await line.seen("typing", state=state) == {
                    "op": "typing", "conv": conv, "user": ann.user, "state": state,
                }  # fmt: skip
        ann.tell("typing", conv=conv, state="start")
        await ann.call("ping")
        assert len([m for m in ann.received if m["op"] == "ok"]) == 2
        await bob.quiet()
        await eve.call("ping")
        assert not eve.pushed("typing")
        assert (await bob.call("ping"))["head"] == 1, "nothing of it is durable"


async def test_m9_typing_in_a_group(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob cat eve") as (ann, bob, cat, eve):
        conv = (await ann.make_group(bob.user, cat.user))["conv"]
        ann.tell("typing", conv=conv, state="start")
        for line in (bob, cat):
            await line.seen("typing", conv=conv, user=ann.user, state="start")
        assert (await eve.refused("typing", conv=conv, state="start"))["code"] == "forbidden"
        await cat.call("ping")
        assert not cat.pushed("typing", user=eve.user)
