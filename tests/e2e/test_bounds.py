"""Listings, pages and pushes keep to their sizes, however large a conversation was made. I8."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

LISTING_BYTES = 256 * 1024
ONE_MORE = 80 * 1024
"""A listing may pass its bound by the one object that crosses it."""


def size(answer: dict[str, Any]) -> int:
    return len(json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode())


def long_names(name: Name, count: int) -> list[str]:
    """User ids of 64 characters."""
    return [name(f"u{at}").ljust(64, "x") for at in range(count)]


async def test_o3_i8_a_message_with_very_many_reactions_can_be_read(
    node: Node, name: Name, encoding: str
) -> None:
    """Each takes its place; what they add up to on the message must not make it unreadable."""
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "hi", key()))["conv"]
        for begin in range(0, 3000, 8):
            asked = [
                line.ask("react", conv=conv, n=1, key=key(), emoji=f"{at:064}", on=True)
                for at in range(begin, begin + 8)
                for line in (ann, bob)
            ]
            answers = await asyncio.gather(*asked)
            if "error" in {answer["op"] for answer in answers}:
                break
        page = await bob.call("history", conv=conv, after=0, limit=1)
        assert page["items"][0]["text"] == "hi"
        page = await bob.call("conversations", messages=1)
        assert page["items"][0]["conv"] == conv
        items = await bob.history(conv)
        assert [item["n"] for item in items] == list(range(1, len(items) + 1))


async def test_o3_i8_membership_of_hundreds_comes_in_pages(node: Node, name: Name) -> None:
    users = long_names(name, 490)
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user, name="x" * 200)
        conv = group["conv"]
        for _ in range(5):
            for op in ("group.add", "group.remove"):
                answer = await ann.call(op, conv=conv, key=key(), members=users)
                assert size(answer) <= LISTING_BYTES
        head = answer["head"]
        page = await bob.call("history", conv=conv, after=0, limit=200)
        assert size(page) <= LISTING_BYTES + ONE_MORE
        assert page["done"] is False
        assert [item["n"] for item in await bob.history(conv)] == list(range(1, head + 1))
    async with await Stranger.join(node, name("bob"), "desk", cursor=0) as desk:
        page = await desk.sync(0, 500)
        assert size(page) <= LISTING_BYTES + ONE_MORE
        events = await desk.read_all()
        assert [event["n"] for event in events] == list(range(1, head + 1))
        assert len(events[2]["changes"]) == 490


async def test_o3_i8_conversations_with_many_peers_come_in_pages(node: Node, name: Name) -> None:
    users = long_names(name, 99)
    async with company(node, name, "ann") as (ann,):
        convs = [(await ann.make_group(*users))["conv"] for _ in range(40)]
        page = await ann.call("conversations", limit=100)
        assert size(page) <= LISTING_BYTES + ONE_MORE
        assert page["next"] is not None
        items = await ann.conversations(limit=100)
        assert sorted(item["conv"] for item in items) == sorted(convs)
        assert {len(item["peers"].keys() - {ann.user}) for item in items} == {99}
        wish = {"conversations": 100, "messages": 20}
        async with await Stranger.join(node, ann.user, "desk", recent=wish) as desk:
            assert 0 < len(desk.connected["recent"]["items"]) <= 40


async def test_o3_i8_recent_and_a_page_together_fit_into_one_message(
    node: Node, name: Name, encoding: str
) -> None:
    """Both as large as they may be: `connected` is still at most 512 KiB."""
    async with company(node, name, "ann", encoding) as (ann,):
        for at in range(5):
            to = f"user:{name(f'u{at}')}"
            await asyncio.gather(
                *(ann.ask("send", to=to, key=key(), text="\x01" * 8_000) for _ in range(15))
            )
        wish = {"conversations": 5, "messages": 15}
        async with await Stranger.join(
            node, ann.user, "desk", encoding=encoding, cursor=0, sync=500, recent=wish
        ) as desk:
            assert len(desk.connected["recent"]["items"]) == 5
            page = desk.connected["page"]
            assert page["events"]
            rest = await desk.read_all(page["next"])
            assert len(page["events"]) + len(rest) == 75


async def test_m2_i8_a_large_group_is_told_once_to_each(node: Node, name: Name) -> None:
    """500 members added, half of them removed again: every `group` answer lists at most 500."""
    async with company(node, name, "ann u0 u1") as (ann, first, second):
        users = [first.user, second.user, *(name(f"v{at}") for at in range(497))]
        group = await ann.make_group(*users)
        assert (group["count"], len(group["members"])) == (500, 500)
        removed = await ann.call(
            "group.remove", conv=group["conv"], key=key(), members=[first.user, *users[250:]]
        )
        assert removed["count"] == 250
        for line, stays in ((first, False), (second, True)):
            events = await line.events(removed["head"])
            assert [event["n"] for event in events] == list(range(1, removed["head"] + 1))
            sent = await line.ask("send", to=group["conv"], key=key(), text="x")
            assert (sent["op"] == "sent") is stays


@pytest.mark.parametrize("to", ["group", "channel"])
async def test_m10_i8_an_outcome_lists_at_most_100(node: Node, name: Name, to: str) -> None:
    users = [name(f"u{at}") for at in range(150)]
    async with company(node, name, "ann u0") as (ann, reader):
        group = await ann.make_group(*users, kind=to)
        k = key()
        sent = await ann.send(group["conv"], "x", k)
        await reader.call("read", conv=group["conv"], n=sent["n"])
        outcome = await ann.call("outcome", key=k)
        assert outcome["sent"]["n"] == sent["n"]
        listed = [row["user"] for row in outcome["recipients"]]
        assert len(listed) == len(set(listed)) <= 100
        assert set(listed) <= set(users)


async def test_m3_i8_members_of_a_channel_come_in_pages(node: Node, name: Name) -> None:
    users = long_names(name, 900)
    async with company(node, name, "ann") as (ann,):
        conv = (await ann.make_group(*users[:450], kind="channel"))["conv"]
        await ann.call("group.add", conv=conv, key=key(), members=users[450:])
        found: list[str] = []
        after: dict[str, Any] = {}
        while True:
            page = await ann.call("group.members", conv=conv, **after)
            assert size(page) <= LISTING_BYTES
            found += [item["user"] for item in page["items"]]
            if page.get("next") is None:
                break
            after = {"after": page["next"]}
    assert sorted(found) == sorted([ann.user, *users])
