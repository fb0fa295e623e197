"""kill -9, and what was answered or shown before it is there after it. I1, I2, I12."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def crash(node: Node, *lines: Stranger) -> None:
    """SIGKILL, and a new process on the same data."""
    node.kill9()
    for line in lines:
        line.cut()
    await asyncio.to_thread(node.restart)


@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_m2_m3_i12_a_group_and_all_that_was_done_to_it(
    start_node: Callable[..., Node], name: Name, encoding: str, kind: str
) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"), encoding=encoding)
    bob, cat = name("bob"), name("cat")
    group = await ann.make_group(bob, cat, kind=kind, history="joined")
    conv = group["conv"]
    await ann.call("group.update", conv=conv, key=key(), user=bob, role="admin")
    await ann.call("group.remove", conv=conv, key=key(), members=[cat])
    await ann.call("group.add", conv=conv, key=key(), members=[name("dan")])
    last = await ann.call("group.update", conv=conv, key=key(), name="renamed")
    await crash(node, ann)
    async with company(node, name, "ann bob cat dan", encoding) as (ann, _, cat_line, dan):
        info = await ann.call("group.info", conv=conv)
        for field in ("conv", "kind", "name", "history", "count", "head"):
            assert info[field] == last[field], field
        roles = {member["user"]: member["role"] for member in info["members"]}
        assert roles == {ann.user: "owner", bob: "admin", name("dan"): "member"}
        error = await cat_line.refused("send", to=conv, key=key(), text="x")
        assert error["code"] == "forbidden"
        assert (await dan.send(conv, "x", key()))["n"] == last["head"] + 1
        shown = {item["n"] for item in await dan.history(conv)}
        assert 1 not in shown, "joined later"


@pytest.mark.parametrize("to", ["direct", "group", "channel"])
async def test_m4_i12_edits_reactions_and_recalls(
    start_node: Callable[..., Node], name: Name, encoding: str, to: str
) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"), encoding=encoding)
    target = f"user:{name('bob')}"
    if to != "direct":
        target = (await ann.make_group(name("bob"), kind=to))["conv"]
    one, two, three = [await ann.send(target, text, key()) for text in ("one", "two", "three")]
    conv, keys = one["conv"], [key() for _ in range(3)]
    done: list[dict[str, Any]] = []
    changes: list[tuple[str, dict[str, Any]]] = [
        ("edit", {"n": one["n"], "text": "ONE"}),
        ("react", {"n": two["n"], "emoji": "👍", "on": True}),
        ("recall", {"n": three["n"]}),
    ]
    for k, (op, fields) in zip(keys, changes, strict=True):
        done.append(await ann.call(op, conv=conv, key=k, **fields))
    await crash(node, ann)
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        assert (await bob.item(conv, one["n"]))["text"] == "ONE"
        assert (await bob.item(conv, one["n"]))["edited"] == done[0]["ts"]
        assert (await bob.item(conv, two["n"]))["reactions"] == {"👍": [ann.user]}
        assert "text" not in await bob.item(conv, three["n"])
        for k, (op, fields), first in zip(keys, changes, done, strict=True):
            again = await ann.call(op, conv=conv, key=k, **fields)
            assert again == first | {"id": again["id"], "dup": True}
        item = await ann.conversation(conv)
        assert item is not None
        assert item["head"] == done[2]["n"]


@pytest.mark.parametrize("to", ["direct", "group"])
async def test_m9_i12_a_mark_that_was_shown(
    start_node: Callable[..., Node], name: Name, encoding: str, to: str
) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"), encoding=encoding)
    bob = await Stranger.join(node, name("bob"), encoding=encoding)
    target = f"user:{bob.user}" if to == "direct" else (await ann.make_group(bob.user))["conv"]
    sents = [await ann.send(target, "x", key()) for _ in range(3)]
    conv = sents[0]["conv"]
    await bob.call("read", conv=conv, n=sents[0]["n"])
    last = await bob.seen("event", conv=conv, n=sents[1]["n"])
    bob.tell("ack", seq=last["seq"])
    await ann.seen("receipt", conv=conv, user=bob.user, delivered=sents[1]["n"])
    await crash(node, ann, bob)
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        item = await bob.conversation(conv)
        assert item is not None
        assert (item["read"], item["unread"]) == (sents[0]["n"], 2)
        item = await ann.conversation(conv)
        assert item is not None
        assert item["peers"][bob.user] == {"delivered": sents[1]["n"], "read": sents[0]["n"]}


async def test_o6_i12_a_block(start_node: Callable[..., Node], name: Name, encoding: str) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"), encoding=encoding)
    await ann.call("block", user=name("bob"))
    await ann.call("block", user=name("cat"))
    await ann.call("unblock", user=name("cat"))
    await crash(node, ann)
    async with company(node, name, "bob cat", encoding) as (bob, cat):
        error = await bob.refused("send", to=f"user:{name('ann')}", key=key(), text="x")
        assert error["code"] == "forbidden"
        await cat.send(f"user:{name('ann')}", "x", key())


async def test_m6_i12_keys_of_group_commands(
    start_node: Callable[..., Node], name: Name, encoding: str
) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"), encoding=encoding)
    keys = [key() for _ in range(3)]
    group = await ann.make_group(name("bob"), key=keys[0])
    conv = group["conv"]
    await ann.call("group.add", conv=conv, key=keys[1], members=[name("cat")])
    renamed = await ann.call("group.update", conv=conv, key=keys[2], name="new")
    await crash(node, ann)
    async with company(node, name, "ann", encoding) as (ann,):
        again = await ann.make_group(name("bob"), key=keys[0])
        assert (again["conv"], again["dup"]) == (conv, True)
        again = await ann.call("group.add", conv=conv, key=keys[1], members=[name("cat")])
        assert again["dup"] is True
        again = await ann.call("group.update", conv=conv, key=keys[2], name="new")
        assert again == renamed | {"id": again["id"], "dup": True}
        info = await ann.call("group.info", conv=conv)
        assert info["head"] == renamed["head"]
        error = await ann.refused("group.update", conv=conv, key=keys[2], name="newer")
        assert error["code"] == "conflict"


async def test_m3_i12_the_group_that_became_a_channel(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_LIMITS__GROUP_MEMBERS": "3"})
    ann = await Stranger.join(node, name("ann"))
    group = await ann.make_group(name("bob"), name("cat"))
    conv = group["conv"]
    await ann.send(conv, "in the group", key())
    await ann.call("group.add", conv=conv, key=key(), members=[name("dan")])
    sent = await ann.send(conv, "in the log", key())
    await crash(node, ann)
    async with company(node, name, "ann bob dan") as (ann, bob, dan):
        info = await bob.call("group.info", conv=conv)
        assert (info["kind"], info["count"], info["head"]) == ("channel", 4, sent["n"])
        assert (await dan.call("open", conv=conv))["head"] == sent["n"]
        again = await ann.send(conv, "after the crash", key())
        assert "seq" not in again
        assert again["n"] == sent["n"] + 1
        await dan.seen("channel_event", conv=conv, n=again["n"])
        await bob.seen("channel", conv=conv, head=again["n"])


@pytest.mark.parametrize("turn", range(3))
async def test_m5_i12_killed_in_the_middle_of_everything(
    start_node: Callable[..., Node], name: Name, turn: int
) -> None:
    """A random mix under way; what was answered is there, what was not may be sent again."""
    node = start_node()
    people = "ann bob cat"
    async with company(node, name, people) as (ann, bob, cat):
        conv = (await ann.make_group(bob.user, cat.user))["conv"]
        first = (await ann.send(conv, "first", key()))["n"]
        commands: list[tuple[str, dict[str, Any]]] = []
        for at in range(8):
            commands += [
                ("send", {"to": conv, "text": f"{at}"}),
                ("react", {"conv": conv, "n": first, "emoji": f"e{at}", "on": True}),
                ("group.update", {"conv": conv, "name": f"name {at}"}),
                ("group.add", {"conv": conv, "members": [name(f"new{at}")]}),
            ]
        asked = [(op, {"key": key()} | fields) for op, fields in commands]
        answers = [ann.ask(op, **fields) for op, fields in asked]
        await answers[7 * turn]
        node.kill9()
        done = await asyncio.gather(*answers, return_exceptions=True)
    await asyncio.to_thread(node.restart)
    async with company(node, name, people) as (ann, *others):
        for (op, fields), answer in zip(asked, done, strict=True):
            again = await ann.call(op, **fields)
            if isinstance(answer, dict):
                assert again["dup"] is True, (op, answer)
                if op in ("send", "react"):
                    assert again == answer | {"id": again["id"], "dup": True}
        items = await ann.history(conv)
        assert [item["text"] for item in items[first:] if item["type"] == "message"] == [
            f"{at}" for at in range(8)
        ]
        assert sum(item["type"] == "reaction" for item in items) == 8
        members = await ann.call("group.info", conv=conv)
        assert members["count"] == 11
        for line in (ann, *others):
            assert [e["n"] for e in await line.read_all()] == [item["n"] for item in items]
