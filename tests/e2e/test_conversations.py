"""Counts first, full history both ways, the recent ones at connect. Rows O3 and O4."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

LISTING_BYTES = 256 * 1024


async def say(line: Stranger, to: str, count: int, size: int = 1) -> list[dict[str, Any]]:
    """Send that many messages in order; their answers."""
    sents: list[dict[str, Any]] = []
    for begin in range(0, count, 30):
        numbers = range(begin, min(begin + 30, count))
        asked = [line.ask("send", to=to, key=key(), text=f"{at:0{size}}") for at in numbers]
        sents += await asyncio.gather(*asked)
    assert {sent["op"] for sent in sents} == {"sent"}
    return sents


# -- conversations ----------------------------------------------------------------------------


async def test_o3_conversations_come_with_their_counts(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        (*_, last) = await say(ann, f"user:{bob.user}", 3)
        group = await ann.make_group(bob.user)
        await bob.call("read", conv=last["conv"], n=1)
        answer = await bob.call("conversations", messages=2)
        assert answer["op"] == "conversations"
        items = {item["conv"]: item for item in answer["items"]}
        assert len(answer["items"]) == 2
        ours, direct = items[group["conv"]], items[last["conv"]]
        assert (ours["kind"], ours["name"], ours["head"]) == ("group", "team", group["head"])
        assert ours["unread"] == 0
        assert (direct["kind"], direct["head"]) == ("direct", 3)
        assert (direct["read"], direct["unread"]) == (1, 2)
        assert direct["peers"].keys() >= {ann.user}
        assert sorted(message["text"] for message in direct["last"]) == ["1", "2"]
        assert sorted(message["n"] for message in direct["last"]) == [2, 3]
        assert answer.get("next") is None


async def test_o3_a_user_without_any_has_an_empty_list(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        assert (await ann.call("conversations"))["items"] == []


async def test_o3_the_newest_comes_first(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        for who in ("c", "d", "e"):
            await ann.send(f"user:{name(who)}", "x", key())
        group = await bob.make_group(ann.user)
        await asyncio.sleep(0.002)  # another millisecond
        sent = await ann.send(f"user:{name('c')}", "again", key())
        convs = [item["conv"] for item in await ann.conversations()]
        assert convs[:2] == [sent["conv"], group["conv"]]
        await asyncio.sleep(0.002)  # another millisecond
        await bob.send(group["conv"], "x", key())
        assert next(item["conv"] for item in await ann.conversations()) == group["conv"]


async def test_o3_pages_of_conversations_have_each_once(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        sents = [await ann.send(f"user:{name(f'u{at}')}", "x", key()) for at in range(23)]
        when = {sent["conv"]: sent["ts"] for sent in sents}
        for limit in (1, 5, 23, 100):
            convs = [item["conv"] for item in await ann.conversations(limit=limit)]
            assert sorted(convs) == sorted(when)
            # Two may have been sent to in the same millisecond.
            assert [when[conv] for conv in convs] == sorted(when.values(), reverse=True)
        page = await ann.call("conversations", limit=7)
        assert len(page["items"]) == 7
        assert page["next"] is not None


async def test_o3_a_conversation_without_messages_asked_for_shows_none(
    node: Node, name: Name
) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        await say(ann, f"user:{bob.user}", 2)
        (item,) = await bob.conversations(messages=0)
        assert item.get("last", []) == []
        (item,) = await bob.conversations(messages=20)
        assert len(item["last"]) == 2


async def test_o3_peers_of_a_group_up_to_100(node: Node, name: Name) -> None:
    async with company(node, name, "ann") as (ann,):
        small = await ann.make_group(*(name(f"u{at}") for at in range(99)))
        large = await ann.make_group(*(name(f"u{at}") for at in range(100)))
        item = await ann.conversation(small["conv"])
        assert item is not None
        assert len(item["peers"].keys() - {ann.user}) == 99
        item = await ann.conversation(large["conv"])
        assert item is not None
        assert not item.get("peers")


async def test_o3_long_lists_end_at_256_kib(node: Node, name: Name, encoding: str) -> None:
    """`next` leads on: every conversation comes, though with fewer messages than asked for."""
    async with company(node, name, "ann", encoding) as (ann,):
        convs = [
            (await say(ann, f"user:{name(f'u{at}')}", 8, 15_000))[0]["conv"] for at in range(6)
        ]
        page = await ann.call("conversations", messages=20)
        assert len(str(page)) <= LISTING_BYTES + 64 * 1024
        items = await ann.conversations(messages=20)
        assert [item["conv"] for item in items] == convs[::-1]
        for item in items:
            numbers = sorted(message["n"] for message in item["last"])
            assert numbers == list(range(9 - len(numbers), 9)), "the newest ones"


# -- history ----------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["direct", "group", "channel"])
async def test_o3_history_both_ways_has_no_gap(
    node: Node, name: Name, encoding: str, to: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        target = f"user:{bob.user}"
        if to != "direct":
            target = (await ann.make_group(bob.user, kind=to))["conv"]
        (*_, last) = await say(ann, target, 60)
        await ann.call("edit", conv=last["conv"], n=last["n"], key=key(), text="edited")
        conv, head = last["conv"], last["n"] + 1
        everything = list(range(1, head + 1))
        for limit in (1, 7, 200):
            assert [item["n"] for item in await bob.history(conv, limit=limit)] == everything
            found: list[int] = []
            before, done = head + 1, False
            while not done:
                page = await bob.call("history", conv=conv, before=before, limit=limit)
                assert 0 < len(page["items"]) <= limit
                found = [item["n"] for item in page["items"]] + found
                assert found == sorted(found)
                before, done = found[0], page["done"]
            assert found == everything


async def test_o3_before_above_the_head_means_the_newest(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await say(ann, f"user:{bob.user}", 9))[0]["conv"]
        for before in (10, 11, 2**40, 2**53 - 1):
            page = await bob.call("history", conv=conv, before=before, limit=3)
            assert [item["n"] for item in page["items"]] == [7, 8, 9]
            assert page["done"] is False
        page = await bob.call("history", conv=conv, before=4, limit=200)
        assert ([item["n"] for item in page["items"]], page["done"]) == ([1, 2, 3], True)
        page = await bob.call("history", conv=conv, after=6, limit=200)
        assert ([item["n"] for item in page["items"]], page["done"]) == ([7, 8, 9], True)
        page = await bob.call("history", conv=conv, after=9)
        assert (page["items"], page["done"]) == ([], True)


async def test_o3_history_ends_at_256_kib(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await say(ann, f"user:{bob.user}", 40, 16_000))[0]["conv"]
        for way in ({"after": 0}, {"before": 2**40}):
            page = await bob.call("history", conv=conv, limit=200, **way)
            assert 5 < len(page["items"]) < 40
            assert len(str(page)) <= LISTING_BYTES + 64 * 1024
            assert page["done"] is False
        assert [item["n"] for item in await bob.history(conv)] == list(range(1, 41))


async def test_o3_full_history_is_on_a_device_that_never_connected(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        await say(ann, f"user:{bob.user}", 5)
        await say(bob, f"user:{ann.user}", 5)
        async with await Stranger.join(node, bob.user, "new", encoding=encoding) as new:
            assert new.connected["new_device"] is True
            assert new.connected["cursor"] == new.connected["head"] == 10
            (item,) = await new.conversations()
            assert (item["head"], item["unread"]) == (10, 5)
            shown = await new.history(item["conv"])
            assert [(i["n"], i["from"]) for i in shown] == [
                (n, ann.user if n <= 5 else bob.user) for n in range(1, 11)
            ]


async def test_o3_history_while_it_is_written_has_no_hole(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "0", key()))["conv"]
        for _ in range(20):
            asked = [ann.ask("send", to=conv, key=key(), text="x") for _ in range(10)]
            page = await bob.call("history", conv=conv, before=2**40, limit=200)
            numbers = [item["n"] for item in page["items"]]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            await asyncio.gather(*asked)
            item = await bob.conversation(conv)
            assert item is not None
            page = await bob.call("history", conv=conv, before=2**40, limit=1)
            assert page["items"][0]["n"] == item["head"]


# -- the recent ones at connect ---------------------------------------------------------------


async def test_o4_the_last_messages_of_the_last_conversations_come_with_connected(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        convs = [
            (await say(ann, f"user:{name(f'u{at}')}", 17 if at % 2 else 3))[0]["conv"]
            for at in range(7)
        ]
        wish = {"conversations": 5, "messages": 15}
        async with await Stranger.join(node, ann.user, "desk", encoding=encoding,
                                       recent=wish) as desk:  # fmt: skip
            recent = desk.connected["recent"]
            assert [item["conv"] for item in recent["items"]] == convs[:1:-1]
            for item in recent["items"]:
                numbers = sorted(message["n"] for message in item["last"])
                assert numbers == list(range(item["head"], 0, -1))[:15][::-1]
            listed = await desk.call("conversations", limit=5, messages=15)
            assert recent["items"] == listed["items"]


async def test_o4_recent_is_never_older_or_newer_than_history(
    node: Node, name: Name, encoding: str
) -> None:
    """Read before and after each kind of change, so that whatever is kept must be renewed."""
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await say(ann, f"user:{bob.user}", 20))[0]["conv"]
        for op, fields in (
            ("ping", {}),
            ("edit", {"n": 20, "text": "edited"}),
            ("react", {"n": 19, "emoji": "👍", "on": True}),
            ("recall", {"n": 18}),
            ("send", {"to": conv, "text": "new"}),
        ):
            await ann.call(op, **({"conv": conv, "key": key()} | fields if fields else {}))
            wish = {"conversations": 5, "messages": 15}
            async with await Stranger.join(node, bob.user, "desk", encoding=encoding,
                                           recent=wish) as desk:  # fmt: skip
                (item,) = desk.connected["recent"]["items"]
            shown = [i for i in await bob.history(conv) if i["type"] == "message"]
            last = sorted(item["last"], key=lambda message: message["n"])
            assert last == shown[-len(last) :], op
            assert len(last) == 15


async def test_o4_recent_is_for_those_who_ask(node: Node, name: Name) -> None:
    async with company(node, name, "ann") as (ann,):
        assert "recent" not in ann.connected


async def test_o4_who_left_and_who_is_out_has_nothing_recent(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user)
        await ann.send(group["conv"], "secret", key())
        wish = {"conversations": 5, "messages": 15}
        async with await Stranger.join(node, bob.user, "desk", recent=wish) as desk:
            assert "secret" in str(desk.connected["recent"])
        await ann.call("group.remove", conv=group["conv"], key=key(), members=[bob.user])
        await ann.send(group["conv"], "more", key())
        async with await Stranger.join(node, bob.user, "desk", recent=wish) as desk:
            assert desk.connected["recent"]["items"] == []
