"""Groups: made, joined, left, renamed, ruled. Protocol section 6. Row M2, and M7 among many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


def changes(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Who was `added`, `removed`, `left` or got a `role`, in order."""
    return [
        (change["user"], change["change"])
        for event in events
        if event["type"] == "membership"
        for change in event["changes"]
    ]


def roles(group: dict[str, Any]) -> dict[str, str]:
    return {member["user"]: member["role"] for member in group["members"]}


async def test_m2_a_group_is_made_and_all_members_see_it(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann ann/desk bob cat", encoding) as lines:
        ann, *others = lines
        _, bob, cat = others
        k = key()
        group = await ann.call(
            "group.create", key=k, kind="group", name="Team ✓", history="all",
            members=[bob.user, cat.user],
        )  # fmt: skip
        assert group["op"] == "group"
        assert group["conv"].startswith("group:")
        assert (group["kind"], group["name"], group["history"]) == ("group", "Team ✓", "all")
        assert roles(group) == {ann.user: "owner", bob.user: "member", cat.user: "member"}
        assert (group["count"], group["dup"]) == (3, False)
        for line in lines:
            events = await line.events(group["head"])
            assert [event["n"] for event in events] == list(range(1, group["head"] + 1))
            assert [event["seq"] for event in events] == list(range(1, group["head"] + 1))
            assert {event["conv"] for event in events} == {group["conv"]}
            assert {event["from"] for event in events} == {ann.user}
            (made,) = [event for event in events if event["type"] == "conversation"]
            assert (made["kind"], made["name"], made["history"]) == ("group", "Team ✓", "all")
            assert {(bob.user, "added"), (cat.user, "added")} <= set(changes(events))
            await line.quiet()


async def test_m2_the_maker_may_choose_the_id(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user, group=name("crew"))
        assert group["conv"] == f"group:{name('crew')}"
        await bob.refused("group.create", key=key(), kind="group", name="x", group=name("crew"),
                          members=[], history="all")  # fmt: skip
        info = await bob.call("group.info", conv=group["conv"])
        assert (info["name"], info["count"]) == ("team", 2), "the second one changed nothing"


async def test_m2_two_groups_without_an_id_are_two(node: Node, name: Name) -> None:
    async with company(node, name, "ann") as (ann,):
        convs = {(await ann.make_group())["conv"] for _ in range(5)}
    assert len(convs) == 5


async def test_m2_a_message_reaches_all_members_and_nobody_else(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob bob/desk cat eve", encoding) as lines:
        ann, bob, desk, cat, eve = lines
        group = await ann.make_group(bob.user, cat.user)
        head = group["head"]
        k = key()
        sent = await ann.send(group["conv"], "hello", k)
        assert (sent["conv"], sent["n"]) == (group["conv"], head + 1)
        for line in (bob, desk, cat):
            event = (await line.events(head + 1))[-1]
            assert list(event.items()) == [
                ("op", "event"), ("seq", head + 1), ("type", "message"), ("conv", group["conv"]),
                ("n", head + 1), ("from", ann.user), ("key", k), ("ts", sent["ts"]),
                ("text", "hello"),
            ]  # fmt: skip
        await eve.quiet()
        assert (await eve.call("ping"))["head"] == 0
        assert (await eve.refused("send", to=group["conv"], key=key(), text="x"))["code"] == (
            "forbidden"
        )


async def test_m2_the_caller_gets_the_events_of_his_own_commands(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        await ann.events(group["head"])
        await ann.call("group.update", conv=group["conv"], key=key(), name="new")
        event = await ann.event()
        assert (event["type"], event["name"]) == ("conversation", "new")
        assert event["seq"] == event["n"] == group["head"] + 1
        # A message of one's own is answered in its place instead.
        assert (await ann.send(group["conv"], "x", key()))["seq"] == group["head"] + 2
        await ann.quiet()


async def test_m2_adding_a_member_is_an_event_in_order_with_messages(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        group = await ann.make_group(bob.user)
        conv, head = group["conv"], group["head"]
        await ann.send(conv, "before", key())
        added = await ann.call("group.add", conv=conv, key=key(), members=[cat.user])
        assert (added["op"], added["dup"], added["count"]) == ("group", False, 3)
        assert added["head"] == head + 2
        await ann.send(conv, "after", key())
        events = (await bob.events(head + 3))[head:]
        assert [event["type"] for event in events] == ["message", "membership", "message"]
        assert [event["n"] for event in events] == [head + 1, head + 2, head + 3]
        assert changes(events) == [(cat.user, "added")]
        mine = await cat.events(2)
        assert [(event["seq"], event["n"]) for event in mine] == [(1, head + 2), (2, head + 3)]
        assert mine[0] == events[1] | {"seq": 1}
        assert mine[1]["text"] == "after"


async def test_m2_adding_a_member_again_changes_nothing(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user)
        again = await ann.call("group.add", conv=group["conv"], key=key(), members=[bob.user])
        assert (again["count"], again["head"]) == (2, group["head"])
        assert (await ann.call("ping"))["head"] == group["head"]


async def test_m2_a_removed_member_sees_that_and_nothing_more(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        group = await ann.make_group(bob.user, cat.user)
        conv, head = group["conv"], group["head"]
        await ann.send(conv, "before", key())
        removed = await ann.call("group.remove", conv=conv, key=key(), members=[bob.user])
        assert (removed["count"], removed["head"]) == (2, head + 2)
        await ann.send(conv, "without bob", key())
        events = (await bob.events(head + 2))[head:]
        assert [event["type"] for event in events] == ["message", "membership"]
        assert changes(events) == [(bob.user, "removed")]
        await bob.quiet()
        assert [e["n"] for e in (await cat.events(head + 3))] == list(range(1, head + 4))
        assert bob.user not in roles(await cat.call("group.info", conv=conv))
        # What is in his timeline stays.
        assert [event["n"] for event in await bob.read_all()] == list(range(1, head + 3))
        await assert_outside(bob, conv)


async def test_m2_who_leaves_gets_his_own_leaving_as_the_last_event(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        conv, head = group["conv"], group["head"]
        assert (await bob.call("group.leave", conv=conv, key=key()))["op"] == "ok"
        await ann.send(conv, "without bob", key())
        last = (await bob.events(head + 1))[-1]
        assert changes([last]) == [(bob.user, "left")]
        assert last["from"] == bob.user
        await bob.quiet()
        assert changes((await ann.events(head + 1))[-1:]) == [(bob.user, "left")]
        assert roles(await ann.call("group.info", conv=conv)) == {ann.user: "owner"}
        await assert_outside(bob, conv)


async def assert_outside(line: Stranger, conv: str) -> None:
    """`history` and `read` refuse, `conversations` omits it."""
    for op, fields in {
        "history": {"after": 0},
        "read": {"n": 1},
        "group.info": {},
        "group.members": {},
        "typing": {"state": "start"},
        "group.leave": {"key": key()},
    }.items():
        assert (await line.refused(op, conv=conv, **fields))["code"] == "forbidden", op
    assert await line.conversation(conv) is None


async def test_m2_a_member_who_comes_back_gets_what_follows(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user)
        conv, head = group["conv"], group["head"]
        await bob.call("group.leave", conv=conv, key=key())
        await ann.send(conv, "missed", key())
        await ann.call("group.add", conv=conv, key=key(), members=[bob.user])
        await ann.send(conv, "back", key())
        events = (await bob.events(head + 3))[head:]
        assert [event["n"] for event in events] == [head + 1, head + 3, head + 4]
        assert [event["seq"] for event in events] == [head + 1, head + 2, head + 3]
        # The group shows all history: what he missed as well.
        texts = [item.get("text") for item in await bob.history(conv)]
        assert texts[-3:] == ["missed", None, "back"]


async def test_m2_a_rename_is_an_event_for_all(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        conv = group["conv"]
        renamed = await ann.call("group.update", conv=conv, key=key(), name="Ünïcode 😀")
        assert (renamed["name"], renamed["head"]) == ("Ünïcode 😀", group["head"] + 1)
        event = (await bob.events(group["head"] + 1))[-1]
        assert (event["type"], event["kind"], event["name"]) == (
            "conversation", "group", "Ünïcode 😀",
        )  # fmt: skip
        for line in (ann, bob):
            assert (await line.call("group.info", conv=conv))["name"] == "Ünïcode 😀"
            item = await line.conversation(conv)
            assert item is not None
            assert (item["name"], item["kind"]) == ("Ünïcode 😀", "group")


# -- roles ------------------------------------------------------------------------------------

RULED = {
    "group.add": {"members": ["someone.new"]},
    "group.remove": {"members": ["cat"]},
    "group.update": {"name": "mine now"},
}


@pytest.mark.parametrize("op", RULED)
async def test_m2_members_and_the_name_are_for_owner_and_admins(
    node: Node, name: Name, op: str
) -> None:
    async with company(node, name, "ann bob cat dan") as (ann, bob, cat, dan):
        group = await ann.make_group(bob.user, cat.user)
        conv = group["conv"]
        fields = RULED[op] | ({"members": [cat.user]} if op == "group.remove" else {})
        for outsider in (bob, dan):
            error = await outsider.refused(op, conv=conv, key=key(), **fields)
            assert error["code"] == "forbidden"
        info = await ann.call("group.info", conv=conv)
        assert (info["head"], info["count"], info["name"]) == (group["head"], 3, "team")
        raised = await ann.call(
            "group.update", conv=conv, key=key(), user=bob.user, role="admin"
        )  # fmt: skip
        assert roles(raised)[bob.user] == "admin"
        assert (await bob.call(op, conv=conv, key=key(), **fields))["op"] == "group"


@pytest.mark.parametrize("role", ["admin", "owner", "member"])
async def test_m2_roles_are_given_by_the_owner(
    node: Node, name: Name, encoding: str, role: str
) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        group = await ann.make_group(bob.user, cat.user)
        conv, head = group["conv"], group["head"]
        await ann.call("group.update", conv=conv, key=key(), user=bob.user, role="admin")
        error = await bob.refused(
            "group.update", conv=conv, key=key(), user=bob.user, role="owner"
        )  # fmt: skip
        assert error["code"] == "forbidden"
        error = await cat.refused("group.update", conv=conv, key=key(), user=cat.user, role=role)
        assert error["code"] == "forbidden"
        changed = await ann.call("group.update", conv=conv, key=key(), user=bob.user, role=role)
        assert roles(changed)[bob.user] == role
        first = (await cat.events(head + 1))[-1]
        (change,) = first["changes"]
        assert (change["user"], change["change"], change["role"]) == (bob.user, "role", "admin")
        assert roles(await cat.call("group.info", conv=conv))[bob.user] == role


async def test_m2_the_role_of_a_stranger_cannot_be_set(node: Node, name: Name) -> None:
    async with company(node, name, "ann eve") as (ann, eve):
        group = await ann.make_group()
        await ann.refused(
            "group.update", conv=group["conv"], key=key(), user=eve.user, role="admin"
        )
        info = await ann.call("group.info", conv=group["conv"])
        assert (info["head"], roles(info)) == (group["head"], {ann.user: "owner"})


# -- info, members, history -------------------------------------------------------------------


async def test_m2_members_come_in_pages(node: Node, name: Name, encoding: str) -> None:
    users = [name(f"u{at:03}") for at in range(60)]
    async with company(node, name, "ann", encoding) as (ann,):
        group = await ann.make_group(*users)
        assert (group["count"], len(group["members"])) == (61, 61)
        found: dict[str, str] = {}
        after: dict[str, Any] = {}
        while True:
            page = await ann.call("group.members", conv=group["conv"], limit=25, **after)
            assert page["op"] == "members"
            assert len(page["items"]) <= 25
            for item in page["items"]:
                assert item["user"] not in found
                found[item["user"]] = item["role"]
            if page.get("next") is None:
                break
            after = {"after": page["next"]}
    assert found == dict.fromkeys(users, "member") | {ann.user: "owner"}


@pytest.mark.parametrize("kind", ["all", "joined"])
async def test_m2_history_is_all_or_from_joining(
    node: Node, name: Name, encoding: str, kind: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(history=kind)
        conv = group["conv"]
        old = await ann.send(conv, "old", key())
        joined = await ann.call("group.add", conv=conv, key=key(), members=[bob.user])
        new = await ann.send(conv, "new", key())
        shown = {item["n"] for item in await bob.history(conv)}
        assert new["n"] in shown
        assert (old["n"] in shown) is (kind == "all")
        below = await bob.call("history", conv=conv, before=joined["head"])
        assert {item["n"] for item in below["items"]} == (
            set(range(1, joined["head"])) if kind == "all" else set()
        )
        assert [item["n"] for item in await ann.history(conv)] == list(range(1, new["n"] + 1))


async def test_m2_joined_counts_from_the_newest_joining(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user, history="joined")
        conv = group["conv"]
        await ann.send(conv, "first stay", key())
        await bob.call("group.leave", conv=conv, key=key())
        await ann.send(conv, "between", key())
        await ann.call("group.add", conv=conv, key=key(), members=[bob.user])
        await ann.send(conv, "second stay", key())
        texts = [item["text"] for item in await bob.history(conv) if item["type"] == "message"]
        assert texts == ["second stay"]
        recent = await bob.call("conversations", messages=20)
        shown = str([item["last"] for item in recent["items"] if item["conv"] == conv])
        assert "second stay" in shown
        assert "between" not in shown
        assert "first stay" not in shown


async def test_m2_a_group_of_500_gets_a_message_at_once(node: Node, name: Name) -> None:
    users = [name(f"u{at}") for at in range(499)]
    async with company(node, name, "ann") as (ann,):
        group = await ann.make_group(*users)
        assert (group["count"], len(group["members"])) == (500, 500)
        sent = await ann.send(group["conv"], "all of you", key())
        assert sent["seq"] == sent["n"] == group["head"] + 1
    for user in (users[0], users[498]):
        async with await Stranger.join(node, user, cursor=0) as line:
            events = await line.read_all()
            assert [event["n"] for event in events] == list(range(1, sent["n"] + 1))
            assert events[-1]["text"] == "all of you"


# -- many at once -----------------------------------------------------------------------------


async def test_m7_i5_all_members_see_one_order(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob bob/desk cat") as lines:
        ann, bob, _desk, cat = lines
        group = await ann.make_group(bob.user, cat.user)
        conv, head = group["conv"], group["head"]
        for turn in range(10):
            asked = [
                line.ask("send", to=conv, key=key(), text=f"{at}.{turn}")
                for at, line in enumerate(lines)
            ]
            if turn == 5:
                asked.append(ann.ask("group.update", conv=conv, key=key(), name="five"))
            await asyncio.gather(*asked)
        for line in lines:
            await line.call("ping")
            seqs = [m["seq"] for m in line.received if m["op"] in ("event", "sent")]
            assert seqs == list(range(1, head + 42)), "each place once, in order"
        timelines = [await line.read_all() for line in lines]
        assert timelines[0] == timelines[1] == timelines[2] == timelines[3]
        assert [event["n"] for event in timelines[0]] == list(range(1, head + 42))


async def test_m7_membership_and_messages_race_without_a_hole(node: Node, name: Name) -> None:
    """Whoever is a member at `n` has it in his timeline, and nobody else."""
    async with company(node, name, "ann bob cat") as (ann, bob, cat):
        group = await ann.make_group(bob.user)
        conv = group["conv"]
        for turn in range(20):
            op = "group.remove" if turn % 2 else "group.add"
            await asyncio.gather(
                ann.ask("send", to=conv, key=key(), text="a"),
                bob.ask("send", to=conv, key=key(), text="b"),
                ann.ask(op, conv=conv, key=key(), members=[cat.user]),
                bob.ask("send", to=conv, key=key(), text="c"),
            )
        inside, owed = False, []
        for item in await ann.history(conv):
            for user, change in changes([item]):
                if user == cat.user:
                    inside = change == "added"
                    owed += [] if inside else [item["n"]]
            owed += [item["n"]] if inside else []
        events = await cat.read_all()
        assert [event["n"] for event in events] == owed
        assert [event["seq"] for event in events] == list(range(1, len(owed) + 1))


async def test_m7_i3_i5_all_kinds_of_events_keep_one_order(node: Node, name: Name) -> None:
    """Direct chats, groups, edits, reactions, roles at once: each line sees 1, 2, 3 …"""
    async with company(node, name, "ann bob bob/desk cat") as lines:
        ann, bob, desk, cat = lines
        one = await ann.make_group(bob.user, cat.user)
        two = await bob.make_group(ann.user, cat.user)
        said = await ann.send(one["conv"], "said", key())
        for at in range(8):
            asked = [
                ann.ask("send", to=f"user:{bob.user}", key=key(), text="x"),
                desk.ask("send", to=one["conv"], key=key(), text="x"),
                ann.ask("edit", conv=one["conv"], n=said["n"], key=key(), text=f"{at}"),
                cat.ask("react", conv=one["conv"], n=said["n"], key=key(), emoji="a", on=True),
                bob.ask("group.update", conv=two["conv"], key=key(), name=f"{at}"),
                cat.ask("send", to=two["conv"], key=key(), text="x"),
                cat.ask("send", to=f"user:{ann.user}", key=key(), text="x"),
                bob.ask("group.add", conv=two["conv"], key=key(), members=[name(f"n{at}")]),
            ]
            assert "error" not in {answer["op"] for answer in await asyncio.gather(*asked)}
        for line in lines:
            head = (await line.call("ping"))["head"]
            seqs = [m["seq"] for m in line.received if m["op"] in ("event", "sent")]
            assert seqs == list(range(1, head + 1))
        for line in (ann, cat):
            convs = {event["conv"] for event in await line.read_all()}
            for conv in convs:
                numbers = [e["n"] for e in await line.read_all() if e["conv"] == conv]
                assert numbers == list(range(1, len(numbers) + 1))
        assert await bob.read_all() == await desk.read_all()


@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_m2_ids_of_all_allowed_characters(
    node: Node, name: Name, encoding: str, kind: str
) -> None:
    odd = name("Az09._~@+=/-")
    async with company(node, name, "ann b.o_b~@+=/-", encoding) as (ann, bob):
        group = await ann.make_group(bob.user, group=odd, kind=kind)
        assert group["conv"] == f"{kind}:{odd}"
        sent = await bob.send(group["conv"], "x", key())
        assert (await ann.item(group["conv"], sent["n"]))["from"] == bob.user
        direct = await ann.send(f"user:{bob.user}", "x", key())
        assert (await bob.item(direct["conv"], 1))["from"] == ann.user
        assert {item["conv"] for item in await bob.conversations()} == {
            group["conv"], direct["conv"],
        }  # fmt: skip


async def test_m2_a_group_and_a_channel_of_one_id_are_two(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(group=name("x"))
        channel = await bob.make_group(group=name("x"), kind="channel")
        await ann.send(group["conv"], "in the group", key())
        assert "in the group" not in str(await bob.history(channel["conv"]))
        assert (await bob.refused("history", conv=group["conv"], after=0))["code"] == "forbidden"


async def test_m2_an_owner_who_leaves_leaves_a_group_that_works(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await ann.make_group(bob.user))["conv"]
        await ann.call("group.leave", conv=conv, key=key())
        sent = await bob.send(conv, "alone", key())
        assert (await bob.item(conv, sent["n"]))["text"] == "alone"
        await bob.call("group.leave", conv=conv, key=key())
        assert (await bob.refused("group.info", conv=conv))["code"] == "forbidden"
