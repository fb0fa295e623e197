"""The key rule of section 4, for every command that has a key. Row M6, I4."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

KEYED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "send": ({"to": "CONV", "text": "x"}, {"text": "y"}),
    "edit": ({"conv": "CONV", "n": "N", "text": "x"}, {"text": "y"}),
    "recall": ({"conv": "CONV", "n": "N"}, {"n": "M"}),
    "react": ({"conv": "CONV", "n": "N", "emoji": "👍", "on": True}, {"on": False}),
    "group.create": (
        {"kind": "group", "name": "a", "members": ["BOB"], "history": "all"},
        {"name": "b"},
    ),
    "group.add": ({"conv": "CONV", "members": ["EVE"]}, {"members": ["DAN"]}),
    "group.remove": ({"conv": "CONV", "members": ["BOB"]}, {"members": ["CAT"]}),
    "group.update": ({"conv": "CONV", "name": "a"}, {"name": "b"}),
    "group.update role": (
        {"conv": "CONV", "user": "BOB", "role": "admin"},
        {"role": "owner"},
    ),
    "group.leave": ({"conv": "CONV"}, {"conv": "OTHER"}),
}
"""Each command that has a key: its fields, and what makes another command of it."""


class Scene:
    """A group of ann, bob and cat with two messages by ann, and a second group."""

    def __init__(self, name: Name) -> None:
        self.words: dict[str, Any] = {
            who.upper(): name(who) for who in ("bob", "cat", "dan", "eve")
        }

    async def build(self, ann: Stranger, kind: str) -> None:
        members = (self.words["BOB"], self.words["CAT"])
        self.words["CONV"] = (await ann.make_group(*members, kind=kind))["conv"]
        self.words["OTHER"] = (await ann.make_group(*members, kind=kind))["conv"]
        for word in ("N", "M"):
            self.words[word] = (await ann.send(self.words["CONV"], word, key()))["n"]

    def fill(self, fields: dict[str, Any]) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for field, value in fields.items():
            if isinstance(value, list):
                filled[field] = [self.words[item] for item in value]
            else:
                filled[field] = self.words.get(value, value) if isinstance(value, str) else value
        return filled


async def told_head(line: Stranger, conv: str) -> int | None:
    item = await line.conversation(conv)
    return None if item is None else item["head"]


@pytest.mark.parametrize("row", KEYED)
@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_m6_i4_a_resend_gives_the_original_answer_and_stores_nothing(
    node: Node, name: Name, encoding: str, kind: str, row: str
) -> None:
    async with company(node, name, "ann ann/desk cat", encoding) as (ann, desk, cat):
        scene = Scene(name)
        await scene.build(ann, kind)
        op, fields, k = row.split(maxsplit=1)[0], scene.fill(KEYED[row][0]), key()
        first = await ann.call(op, key=k, **fields)
        head = await told_head(cat, scene.words["CONV"])
        timeline = (await ann.call("ping"))["head"]
        for line in (ann, desk):
            again = await line.call(op, key=k, **fields)
            if op == "group.leave":
                assert again["op"] == "ok"
            else:
                assert first["dup"] is False
                assert again == first | {"id": again["id"], "dup": True}
        assert await told_head(cat, scene.words["CONV"]) == head
        assert (await ann.call("ping"))["head"] == timeline


@pytest.mark.parametrize("row", KEYED)
async def test_m6_i4_another_command_under_the_key_is_a_conflict(
    node: Node, name: Name, encoding: str, row: str
) -> None:
    async with company(node, name, "ann cat", encoding) as (ann, cat):
        scene = Scene(name)
        await scene.build(ann, "group")
        op, k = row.split(maxsplit=1)[0], key()
        fields, change = scene.fill(KEYED[row][0]), scene.fill(KEYED[row][1])
        await ann.call(op, key=k, **fields)
        head = await told_head(cat, scene.words["CONV"])
        error = await ann.refused(op, key=k, **(fields | change))
        assert (error["code"], error["retryable"]) == ("conflict", False)
        error = await ann.refused("send", key=k, to=f"user:{cat.user}", text="another op")
        assert error["code"] == "conflict"
        assert await told_head(cat, scene.words["CONV"]) == head


@pytest.mark.parametrize("row", KEYED)
async def test_m6_i4_five_at_once_are_one(node: Node, name: Name, row: str) -> None:
    async with company(node, name, "ann ann/desk cat") as (ann, desk, cat):
        scene = Scene(name)
        await scene.build(ann, "group")
        before = await told_head(cat, scene.words["CONV"])
        op, fields, k = row.split(maxsplit=1)[0], scene.fill(KEYED[row][0]), key()
        lines = (ann, desk, ann, desk, ann)
        answers = await asyncio.gather(*(line.ask(op, key=k, **fields) for line in lines))
        assert {answer["op"] for answer in answers} == {answers[0]["op"]} != {"error"}
        if op != "group.leave":
            assert sorted(answer["dup"] for answer in answers) == [False, True, True, True, True]
        plain = [{f: v for f, v in a.items() if f not in ("id", "dup")} for a in answers]
        assert all(answer == plain[0] for answer in plain)
        events = 0 if op == "group.create" else 1
        assert await told_head(cat, scene.words["CONV"]) == before + events


async def test_m6_the_key_counts_for_the_conversation_in_every_spelling(
    node: Node, name: Name
) -> None:
    """Compared are op, target and body by value; unknown fields are no part of it."""
    async with company(node, name, "ann bob") as (ann, bob):
        k = key()
        first = await ann.send(f"user:{bob.user}", "x", k)
        again = await ann.send(first["conv"], "x", k, colour="red")
        assert again == first | {"id": again["id"], "dup": True}


async def test_m6_the_key_is_looked_up_before_membership(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        conv, k, k2 = group["conv"], key(), key()
        sent = await bob.send(conv, "x", k)
        edited = await bob.call("edit", conv=conv, n=sent["n"], key=k2, text="y")
        await ann.call("group.remove", conv=conv, key=key(), members=[bob.user])
        again = await bob.send(conv, "x", k)
        assert again == sent | {"id": again["id"], "dup": True}
        again = await bob.call("edit", conv=conv, n=sent["n"], key=k2, text="y")
        assert again == edited | {"id": again["id"], "dup": True}
        assert (await bob.refused("send", to=conv, key=key(), text="x"))["code"] == "forbidden"
        assert (await bob.refused("send", to=conv, key=k, text="y"))["code"] == "conflict"


async def test_m6_the_key_is_looked_up_before_blocks(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        k = key()
        sent = await ann.send(f"user:{bob.user}", "x", k)
        await bob.call("block", user=ann.user)
        again = await ann.send(f"user:{bob.user}", "x", k)
        assert again == sent | {"id": again["id"], "dup": True}
        error = await ann.refused("send", to=f"user:{bob.user}", key=key(), text="x")
        assert error["code"] == "forbidden"


@pytest.mark.parametrize("row", [row for row in KEYED if row not in ("send", "group.create")])
async def test_m6_a_refused_command_does_not_use_its_key_up(
    node: Node, name: Name, encoding: str, row: str
) -> None:
    """Refused while eve is outside; the same key is good for something else later."""
    async with company(node, name, "ann eve", encoding) as (ann, eve):
        scene = Scene(name)
        await scene.build(ann, "group")
        op, fields, k = row.split(maxsplit=1)[0], scene.fill(KEYED[row][0]), key()
        error = await eve.refused(op, key=k, **fields)
        assert error["code"] == "forbidden"
        assert (await eve.send(f"user:{ann.user}", "x", k))["dup"] is False


async def test_m6_a_refused_send_can_be_sent_with_the_same_key(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group()
        k = key()
        error = await bob.refused("send", to=group["conv"], key=k, text="x")
        assert error["code"] == "forbidden"
        await ann.call("group.add", conv=group["conv"], key=key(), members=[bob.user])
        sent = await bob.send(group["conv"], "x", k)
        assert (sent["dup"], sent["n"]) == (False, group["head"] + 2)


async def test_m6_a_key_is_one_users_own(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        k = key()
        group = await ann.make_group(bob.user, key=k)
        assert (await bob.send(group["conv"], "mine", k))["dup"] is False
        made = await bob.make_group(key=key())
        assert made["conv"] != group["conv"]
