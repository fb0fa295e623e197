"""What section 11 of docs/protocol.md decides about messages and groups, point by point."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.files import upload_texts
from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


def roles(group: dict[str, Any]) -> dict[str, str]:
    return {member["user"]: member["role"] for member in group["members"]}


# -- messages and changes ---------------------------------------------------------------------


async def test_m4_every_event_carries_its_key(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        keys = [key() for _ in range(6)]
        conv = (await ann.make_group(bob.user, key=keys[0]))["conv"]
        sent = await ann.send(conv, "x", keys[1])
        await ann.call("edit", conv=conv, n=sent["n"], key=keys[2], text="y")
        await ann.call("react", conv=conv, n=sent["n"], key=keys[3], emoji="👍", on=True)
        await ann.call("recall", conv=conv, n=sent["n"], key=keys[4])
        await ann.call("group.update", conv=conv, key=keys[5], name="new")
        events = await bob.events(7)
        assert [event["key"] for event in events] == [keys[0], *keys]
        assert [event["type"] for event in events[:2]] == ["conversation", "membership"]
        assert [change["user"] for change in events[1]["changes"]][0] == ann.user  # noqa: RUF015
        assert [item["key"] for item in await bob.history(conv)] == [keys[0], *keys]


@pytest.mark.parametrize("to", ["direct", "group"])
async def test_m4_a_page_shows_the_first_text_then_the_edit(
    node: Node, name: Name, encoding: str, to: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        target = f"user:{bob.user}"
        if to == "group":
            target = (await ann.make_group(bob.user))["conv"]
        sent = await ann.send(target, "first", key())
        await ann.call("edit", conv=sent["conv"], n=sent["n"], key=key(), text="second")
        pushed = [
            {k: v for k, v in e.items() if k != "op"} for e in await bob.events(sent["n"] + 1)
        ]
        pages = await bob.read_all()
        assert pages == pushed
        assert [event.get("text") for event in pages[-2:]] == ["first", "second"]
        gone = await ann.call("recall", conv=sent["conv"], n=sent["n"], key=key())
        pages = await bob.read_all()
        assert pages[: sent["n"] - 1] == pushed[: sent["n"] - 1]
        for event in pages[sent["n"] - 1 : sent["n"] + 1]:
            assert event["recalled"] == gone["ts"]
            assert "text" not in event
        for item in (await bob.history(sent["conv"]))[-3:-1]:
            assert item["recalled"] == gone["ts"]
            assert "text" not in item


async def test_m4_a_message_without_a_text_gets_one(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        media = await upload_texts(node, ann.user, "one")
        sent = await ann.call("send", to=f"user:{bob.user}", key=key(), media=media)
        await ann.call("edit", conv=sent["conv"], n=1, key=key(), text="a caption")
        item = await bob.item(sent["conv"], 1)
        assert (item["media"], item["text"]) == (media, "a caption")


@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_m4_what_lies_before_ones_joining_is_not_found(
    node: Node, name: Name, encoding: str, kind: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await ann.make_group(kind=kind, history="joined"))["conv"]
        old = await ann.send(conv, "old", key())
        await ann.call("group.add", conv=conv, key=key(), members=[bob.user])
        await ann.call("group.update", conv=conv, key=key(), user=bob.user, role="admin")
        error = await bob.refused("react", conv=conv, n=old["n"], key=key(), emoji="👍", on=True)
        assert error["code"] == "not_found"
        error = await bob.refused("recall", conv=conv, n=old["n"], key=key())
        assert error["code"] == "not_found"
        assert (await ann.item(conv, old["n"]))["text"] == "old"


async def test_m4_a_repeated_reaction_is_an_event_and_no_count(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "x", key()))["conv"]
        for at, on in enumerate((False, True, True, False, False)):
            sent = await bob.call("react", conv=conv, n=1, key=key(), emoji="👍", on=on)
            assert sent["n"] == at + 2
            counts = (await ann.item(conv, 1)).get("reaction_counts", {})
            assert counts.get("👍", 0) == (1 if at in (1, 2) else 0)


async def test_m4_64_emojis_of_64_bytes(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "x", key()))["conv"]

        def react(emoji: str, *, on: bool = True) -> asyncio.Future[dict[str, Any]]:
            return ann.ask("react", conv=conv, n=1, key=key(), emoji=emoji, on=on)

        for at in range(64):
            assert (await react(f"{at:064}"))["op"] == "sent"
        error = await react("one more")
        assert (error["code"], error["field"]) == ("too_large", "emoji")
        assert (await react(f"{7:064}"))["op"] == "sent", "one that is there"
        assert (await react(f"{7:064}", on=False))["op"] == "sent"
        assert (await react("one more"))["op"] == "sent", "room again"
        assert len((await bob.item(conv, 1))["reactions"]) == 64


async def test_m9_a_read_is_durable_when_its_ok_comes(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    async with company(node, name, "ann bob") as (ann, bob):
        for _ in range(5):
            conv = (await ann.send(f"user:{bob.user}", "x", key()))["conv"]
        await bob.call("read", conv=conv, n=3)
        node.kill9()
    await asyncio.to_thread(node.restart)
    async with company(node, name, "bob") as (bob,):
        item = await bob.conversation(conv)
        assert item is not None
        assert (item["read"], item["unread"]) == (3, 2)


async def test_m9_a_read_beyond_the_head_is_told(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "x", key()))["conv"]
        error = await bob.refused("read", conv=conv, n=2)
        assert (error["code"], error["field"]) == ("bad_request", "n")


async def test_o6_a_blocked_user_hears_what_a_stranger_hears(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await bob.send(f"user:{ann.user}", "x", key()))["conv"]
        await ann.call("block", user=bob.user)
        elsewhere = f"direct:{name('x')},{name('y')}"
        for op, fields in {
            "edit": {"n": 1, "text": "y", "key": key()},
            "react": {"n": 1, "emoji": "👍", "on": True, "key": key()},
            "typing": {"state": "start"},
        }.items():
            errors = [await bob.refused(op, conv=c, **fields) for c in (conv, elsewhere)]
            for error in errors:
                error.pop("id")
            assert errors[0] == errors[1]
            assert errors[0]["code"] == "forbidden"
        assert (await bob.call("recall", conv=conv, n=1, key=key()))["op"] == "sent"


# -- groups and channels ----------------------------------------------------------------------


async def test_m2_an_id_that_is_taken_is_a_conflict(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        await ann.make_group(group=name("crew"))
        error = await bob.refused("group.create", key=key(), group=name("crew"))
        assert (error["code"], error["field"]) == ("conflict", "group")


async def test_m2_who_is_there_from_the_beginning_sees_all(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        group = await ann.make_group(bob.user, history="joined")
        conv = group["conv"]
        added = await ann.call("group.add", conv=conv, key=key(), members=[cat.user])
        await ann.send(conv, "x", key())
        for line in (ann, bob):
            assert [item["n"] for item in await line.history(conv)] == [1, 2, 3, 4]
        assert [item["n"] for item in await cat.history(conv)] == [added["head"] + 1]


async def test_m2_what_changes_nothing_is_no_event(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        conv = group["conv"]
        for op, fields in (
            ("group.add", {"members": [bob.user]}),
            ("group.remove", {"members": [name("nobody")]}),
            ("group.update", {"name": "team"}),
            ("group.update", {"user": bob.user, "role": "member"}),
        ):
            answer = await ann.call(op, conv=conv, key=key(), **fields)
            assert (answer["op"], answer["head"]) == ("group", group["head"]), op
        assert (await bob.call("ping"))["head"] == group["head"]


async def test_m2_an_admin_removes_members_and_an_owner_anybody(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob cat") as (ann, bob, cat):
        group = await ann.make_group(bob.user, cat.user, name("dan"))
        conv = group["conv"]
        for user in (bob.user, cat.user):
            await ann.call("group.update", conv=conv, key=key(), user=user, role="admin")
        for other in (ann.user, cat.user):
            error = await bob.refused("group.remove", conv=conv, key=key(), members=[other])
            assert error["code"] == "forbidden"
        mixed = [name("dan"), cat.user]
        error = await bob.refused("group.remove", conv=conv, key=key(), members=mixed)
        assert error["code"] == "forbidden", "all or nothing"
        assert (await ann.call("group.info", conv=conv))["count"] == 4
        await bob.call("group.remove", conv=conv, key=key(), members=[name("dan")])
        left = await ann.call("group.remove", conv=conv, key=key(), members=[cat.user])
        assert roles(left) == {ann.user: "owner", bob.user: "admin"}


async def test_m2_the_last_owner_cannot_give_his_role_away(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await ann.make_group(bob.user))["conv"]
        for role in ("admin", "member"):
            await ann.refused("group.update", conv=conv, key=key(), user=ann.user, role=role)
        await ann.call("group.update", conv=conv, key=key(), user=bob.user, role="owner")
        changed = await ann.call("group.update", conv=conv, key=key(), user=ann.user, role="member")
        assert roles(changed) == {ann.user: "member", bob.user: "owner"}


@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_m2_when_the_last_owner_goes_another_rules(
    node: Node, name: Name, encoding: str, kind: str
) -> None:
    """An admin, else the first member by id, in the same event."""
    async with company(node, name, "dan ann bob cat", encoding) as (dan, ann, bob, cat):
        group = await dan.make_group(ann.user, bob.user, cat.user, kind=kind)
        conv, head = group["conv"], group["head"]
        await dan.call("group.update", conv=conv, key=key(), user=cat.user, role="admin")
        await dan.call("group.leave", conv=conv, key=key())
        info = await bob.call("group.info", conv=conv)
        assert (info["head"], roles(info)[cat.user]) == (head + 2, "owner")
        event = await bob.item(conv, head + 2)
        assert [(c["user"], c["change"]) for c in event["changes"]] == [
            (dan.user, "left"), (cat.user, "role"),
        ]  # fmt: skip
        await cat.call("group.leave", conv=conv, key=key())
        info = await bob.call("group.info", conv=conv)
        assert roles(info) == {ann.user: "owner", bob.user: "member"}
        await ann.call("group.update", conv=conv, key=key(), name="under new rule")


async def test_m6_a_repeated_command_of_one_who_is_out_tells_nothing(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        conv = (await ann.make_group(bob.user))["conv"]
        await ann.call("group.update", conv=conv, key=key(), user=bob.user, role="admin")
        k = key()
        await bob.call("group.add", conv=conv, key=k, members=[name("cat")])
        await ann.call("group.remove", conv=conv, key=key(), members=[bob.user])
        await ann.call("group.update", conv=conv, key=key(), name="secret")
        again = await bob.call("group.add", conv=conv, key=k, members=[name("cat")])
        assert (again["op"], again["conv"], again["dup"]) == ("group", conv, True)
        assert not again.get("members")
        assert "secret" not in str(again)
        assert not again.get("head")


async def test_m6_a_repeated_command_is_answered_with_the_group_as_it_is(
    node: Node, name: Name
) -> None:
    async with company(node, name, "ann") as (ann,):
        k = key()
        group = await ann.make_group(key=k)
        last = await ann.call("group.update", conv=group["conv"], key=key(), name="later")
        again = await ann.make_group(key=k)
        assert again == last | {"id": again["id"], "dup": True}


@pytest.mark.parametrize("op", ["open", "close"])
async def test_m3_groups_are_not_opened(node: Node, name: Name, encoding: str, op: str) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        conv = (await ann.make_group())["conv"]
        error = await ann.refused(op, conv=conv)
        assert (error["code"], error["field"]) == ("bad_request", "conv")


async def test_m3_membership_of_others_is_a_channel_event(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user, kind="channel")
        conv, head = group["conv"], group["head"]
        await bob.call("open", conv=conv)
        await ann.call("group.add", conv=conv, key=key(), members=[name("cat")])
        event = await bob.seen("channel_event", conv=conv, n=head + 1)
        assert event["type"] == "membership"
        assert event["changes"][0]["user"] == name("cat")


async def test_m2_members_come_in_byte_order(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("mid")) as line:
        users = [name(base) for base in ("zoe", "Zoe", "abe", "Abe", "_x", "~x", "0x")]
        conv = (await line.make_group(*users))["conv"]
        page = await line.call("group.members", conv=conv)
        listed = [item["user"] for item in page["items"]]
        assert listed == sorted([*users, line.user], key=str.encode)


async def test_m2_i8_a_group_above_the_bound_is_too_large_at_once(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_LIMITS__GROUP_MEMBERS": "3"})
    async with company(node, name, "ann") as (ann,):
        users = [name(f"u{at}") for at in range(3)]
        error = await ann.refused("group.create", key=key(), members=users)
        assert (error["code"], error["field"]) == ("too_large", "members")
        assert (await ann.make_group(*users[:2]))["kind"] == "group"
        assert (await ann.make_group(*users, kind="channel"))["count"] == 4


# -- many unread ------------------------------------------------------------------------------


async def test_m9_unread_is_exact_over_thousands(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob cat") as (ann, bob, cat):
        group = await ann.make_group(bob.user, cat.user)
        conv, head = group["conv"], group["head"]
        by_bob: list[int] = []
        for _ in range(100):
            asked = [ann.ask("send", to=conv, key=key(), text="x") for _ in range(20)]
            mine = [bob.ask("send", to=conv, key=key(), text="x") for _ in range(10)]
            await asyncio.gather(*asked)
            by_bob += [answer["n"] for answer in await asyncio.gather(*mine)]
        assert await unread(bob, conv) == 2000
        assert await unread(ann, conv) == 1000
        assert await unread(cat, conv) == 3000
        for n in by_bob[::100]:
            await bob.call("recall", conv=conv, n=n, key=key())
        assert await unread(cat, conv) == 2990
        assert await unread(ann, conv) == 990
        mark = by_bob[300]
        for line in (ann, cat):
            await line.call("read", conv=conv, n=mark)
        left = [n for n in by_bob if n > mark and n not in by_bob[::100]]
        assert await unread(ann, conv) == len(left)
        above = 3000 + head - mark
        assert await unread(cat, conv) == above - len([n for n in by_bob[::100] if n > mark])


async def unread(line: Stranger, conv: str) -> int:
    item = await line.conversation(conv)
    assert item is not None
    return item["unread"]
