"""Channels: one log instead of copies, and the group that becomes one. Row M3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key
from tests.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Name = Callable[[str], str]

BOUND = 5
"""Members that a group may have on the node whose groups turn into channels early."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node on which the sixth member makes a channel of a group."""
    env = {"HIVEWIRE_LIMITS__GROUP_MEMBERS": str(BOUND)}
    node = Node(tmp_path_factory.mktemp("small") / "data", env=env).start()
    yield node
    node.stop()
    node.assert_calm()


async def make_channel(owner: Stranger, *members: str, **fields: Any) -> dict[str, Any]:
    return await owner.make_group(*members, kind="channel", **fields)


async def test_m3_a_channel_is_made(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await make_channel(ann, bob.user, group=name("news"), name="News")
        assert group["conv"] == f"channel:{name('news')}"
        assert (group["kind"], group["name"], group["count"]) == ("channel", "News", 2)
        joined = await bob.seen("event", conv=group["conv"], type="membership")
        assert (bob.user, "added") in [(c["user"], c["change"]) for c in joined["changes"]]
        item = await bob.conversation(group["conv"])
        assert item is not None
        assert (item["kind"], item["name"], item["head"]) == ("channel", "News", group["head"])
        assert item["unread"] == 0


async def test_m3_a_message_takes_no_place_in_any_timeline(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await make_channel(ann, bob.user)
        conv, head = group["conv"], group["head"]
        await bob.seen("event", conv=conv, type="membership")
        heads = [(await line.call("ping"))["head"] for line in (ann, bob)]
        sent = await ann.send(conv, "hi", key())
        assert "seq" not in sent
        assert {field: sent[field] for field in ("op", "conv", "n", "dup")} == {
            "op": "sent", "conv": conv, "n": head + 1, "dup": False,
        }  # fmt: skip
        assert (await bob.seen("channel", conv=conv, head=head + 1)).keys() == {
            "op", "conv", "head",
        }  # fmt: skip
        assert heads == [(await line.call("ping"))["head"] for line in (ann, bob)]
        assert not bob.pushed("channel_event")
        assert [item.get("text") for item in await bob.history(conv)][-1] == "hi"


async def test_m3_who_has_it_open_gets_each_event(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        group = await make_channel(ann, bob.user, cat.user)
        conv, head = group["conv"], group["head"]
        opened = await bob.call("open", conv=conv)
        assert (opened["op"], opened["head"]) == ("ok", head)
        k = key()
        sent = await ann.send(conv, "hi", k, data={"a": [1]})
        event = await bob.seen("channel_event", conv=conv, n=head + 1)
        assert event == {
            "op": "channel_event", "conv": conv, "n": head + 1, "type": "message",
            "from": ann.user, "key": k, "ts": sent["ts"], "text": "hi", "data": {"a": [1]},
        }  # fmt: skip
        await ann.call("edit", conv=conv, n=sent["n"], key=key(), text="hello")
        edit = await bob.seen("channel_event", conv=conv, n=head + 2)
        assert (edit["type"], edit["target"], edit["text"]) == ("edit", sent["n"], "hello")
        await cat.seen("channel", conv=conv, head=head + 2)
        assert not cat.pushed("channel_event")
        assert "seq" not in event
        assert not bob.pushed("event", conv=conv, type="message")


async def test_m3_own_sends_come_after_their_answer(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        group = await make_channel(ann)
        conv, head = group["conv"], group["head"]
        await ann.call("open", conv=conv)
        await asyncio.gather(*(ann.ask("send", to=conv, key=key(), text="x") for _ in range(20)))
        await ann.seen("channel_event", conv=conv, n=head + 20)
        order = [(m["op"], m["n"]) for m in ann.received if m["op"] in ("sent", "channel_event")]
        for n in range(head + 1, head + 21):
            assert order.index(("sent", n)) < order.index(("channel_event", n))
        numbers = [n for op, n in order if op == "channel_event"]
        assert numbers == list(range(head + 1, head + 21))


async def test_m3_pushes_to_who_has_it_closed_are_merged(
    node: Node, name: Name, encoding: str
) -> None:
    """The newest head always goes out in the end; no head is told that is not there yet."""
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await make_channel(ann, bob.user)
        conv, head = group["conv"], group["head"]
        for _ in range(5):
            await asyncio.gather(
                *(ann.ask("send", to=conv, key=key(), text="x") for _ in range(30))
            )
        await bob.seen("channel", conv=conv, head=head + 150)
        heads = [push["head"] for push in bob.pushed("channel", conv=conv)]
        assert len(heads) <= 150
        assert heads == sorted(set(heads)), "heads rise"


async def test_m3_close_goes_back_to_heads(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await make_channel(ann, bob.user)
        conv, head = group["conv"], group["head"]
        await bob.call("open", conv=conv)
        await ann.send(conv, "1", key())
        await bob.seen("channel_event", n=head + 1)
        closed = await bob.call("close", conv=conv)
        assert (closed["op"], closed["head"]) == ("ok", head + 1)
        await ann.send(conv, "2", key())
        await bob.seen("channel", conv=conv, head=head + 2)
        assert len(bob.pushed("channel_event")) == 1
        assert (await bob.call("open", conv=conv))["head"] == head + 2
        await ann.send(conv, "3", key())
        await bob.seen("channel_event", n=head + 3)


async def test_m3_open_is_of_the_connection(node: Node, name: Name) -> None:
    """Another device has it closed; so has the same one after it came back."""
    async with company(node, name, "ann bob bob/desk") as (ann, bob, desk):
        group = await make_channel(ann, bob.user)
        conv, head = group["conv"], group["head"]
        await bob.call("open", conv=conv)
        await bob.call("open", conv=conv)
        await ann.send(conv, "1", key())
        await bob.seen("channel_event", n=head + 1)
        await desk.seen("channel", head=head + 1)
        assert not desk.pushed("channel_event")
        async with await Stranger.join(node, bob.user) as again:
            item = await again.conversation(conv)
            assert item is not None
            assert (item["head"], item["unread"]) == (head + 1, 1)
            await ann.send(conv, "2", key())
            await again.seen("channel", conv=conv, head=head + 2)
            assert not again.pushed("channel_event")


async def test_m3_opening_while_it_is_written_leaves_no_hole(node: Node, name: Name) -> None:
    """`history` to the head that `open` told, pushes from the next one: every event once."""
    async with company(node, name, "ann bob") as (ann, bob):
        group = await make_channel(ann, bob.user)
        conv = group["conv"]
        for _ in range(10):
            asked = [ann.ask("send", to=conv, key=key(), text="x") for _ in range(10)]
            mark = len(bob.received)
            opened = await bob.call("open", conv=conv)
            last = (await asyncio.gather(*asked))[-1]["n"]
            if last > opened["head"]:
                await bob.seen("channel_event", since=mark, n=last)
            pushed = [event["n"] for event in bob.pushed("channel_event", since=mark)]
            assert pushed == list(range(opened["head"] + 1, last + 1))
            page = await bob.call("history", conv=conv, before=opened["head"] + 1, limit=3)
            assert page["items"][-1]["n"] == opened["head"]
            await bob.call("close", conv=conv)


@pytest.mark.parametrize("kind", ["all", "joined"])
async def test_m3_history_is_all_or_from_joining(
    node: Node, name: Name, encoding: str, kind: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await make_channel(ann, history=kind)
        conv = group["conv"]
        assert group["history"] == kind
        old = await ann.send(conv, "old", key())
        await ann.call("group.add", conv=conv, key=key(), members=[bob.user])
        await bob.seen("event", conv=conv, type="membership")
        new = await ann.send(conv, "new", key())
        shown = {item["n"] for item in await bob.history(conv)}
        assert new["n"] in shown
        assert (old["n"] in shown) is (kind == "all")
        item = await bob.conversation(conv)
        assert item is not None
        assert (item["head"], item["unread"]) == (new["n"], 1)


async def test_m3_a_removed_reader_gets_nothing_more(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob bob/desk cat", encoding) as (ann, bob, desk, cat):
        group = await make_channel(ann, bob.user, cat.user)
        conv, head = group["conv"], group["head"]
        for line in (bob, cat):
            await line.call("open", conv=conv)
        await ann.call("group.remove", conv=conv, key=key(), members=[bob.user])
        await ann.send(conv, "secret", key())
        await cat.seen("channel_event", n=head + 2)
        gone = [e for e in await bob.read_all() if e["type"] == "membership"][-1]
        assert ({"user": bob.user, "change": "removed"}).items() <= gone["changes"][0].items()
        for line in (bob, desk):
            await line.call("ping")
            assert not line.pushed("channel_event", n=head + 2)
            assert not line.pushed("channel", head=head + 2)
            for op in ("open", "history", "group.info"):
                fields = {"after": 0} if op == "history" else {}
                assert (await line.refused(op, conv=conv, **fields))["code"] == "forbidden"


async def test_m3_membership_and_name_stand_in_the_timeline(
    node: Node, name: Name, encoding: str
) -> None:
    """One's own joining and leaving, and what the channel is called; nobody else's coming."""
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await make_channel(ann, bob.user)
        conv = group["conv"]
        before = len([e for e in await bob.read_all() if e["conv"] == conv])
        await ann.call("group.add", conv=conv, key=key(), members=[name("cat")])
        await ann.call("group.update", conv=conv, key=key(), name="second name")
        renamed = await bob.seen("event", conv=conv, type="conversation", name="second name")
        await bob.call("group.leave", conv=conv, key=key())
        left = (await bob.read_all())[-1]
        assert left["type"] == "membership"
        assert left["changes"][0]["change"] == "left"
        mine = [e for e in await bob.read_all() if e["conv"] == conv]
        assert len(mine) == before + 2
        assert left["n"] > renamed["n"] > group["head"] + 1
        assert not any(change["user"] == name("cat") for e in mine
                       for change in e.get("changes", []))  # fmt: skip


async def test_m3_open_is_for_channels_one_is_in(node: Node, name: Name) -> None:
    async with company(node, name, "ann eve") as (ann, eve):
        channel = await make_channel(ann)
        group = await ann.make_group()
        assert (await eve.refused("open", conv=channel["conv"]))["code"] == "forbidden"
        assert (await ann.refused("open", conv=group["conv"]))["field"] == "conv"


async def test_m3_a_channel_of_more_than_a_thousand(node: Node, name: Name) -> None:
    async with company(node, name, "ann") as (ann,):
        group = await make_channel(ann)
        conv = group["conv"]
        for at in range(0, 1200, 400):
            users = [name(f"u{number}") for number in range(at, at + 400)]
            group = await ann.call("group.add", conv=conv, key=key(), members=users)
        assert group["count"] == 1201
        assert len(group["members"]) <= 500
        sent = await ann.send(conv, "all of you", key())
    async with await Stranger.join(node, name("u1199"), cursor=0) as last:
        item = await last.conversation(conv)
        assert item is not None
        assert (item["head"], item["unread"]) == (sent["n"], 1)
        assert (await last.item(conv, sent["n"]))["text"] == "all of you"


async def test_m3_a_slow_reader_learns_the_newest_head_in_the_end(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        group = await make_channel(ann, bob.user)
        conv = group["conv"]
        await bob.call("open", conv=conv)
        transport: Any = bob.line.writer.transport
        transport.pause_reading()
        for _ in range(30):
            asked = [ann.ask("send", to=conv, key=key(), text="x" * 16_000) for _ in range(30)]
            last = (await asyncio.gather(*asked))[-1]["n"]
        transport.resume_reading()
        await bob.until(
            lambda: bool(bob.pushed("channel", head=last) or bob.pushed("channel_event", n=last))
        )
        numbers = [event["n"] for event in bob.pushed("channel_event")]
        assert numbers == sorted(set(numbers)), "no event twice, none out of order"
        await bob.call("ping")
        await ann.send(conv, "the next one", key())
        await bob.seen("channel_event", n=last + 1)


# -- the group that outgrows its bound --------------------------------------------------------


async def grow(small: Node, ann: Stranger, name: Name, *members: str) -> tuple[str, int]:
    """A full group with two messages, and the add that makes a channel of it."""
    others = [name(f"u{at}") for at in range(BOUND - 1 - len(members))]
    group = await ann.make_group(*members, *others)
    assert (group["kind"], group["count"]) == ("group", BOUND)
    for text in ("one", "two"):
        assert "seq" in await ann.send(group["conv"], text, key())
    grown = await ann.call(
        "group.add", conv=group["conv"], key=key(), members=[name("late"), name("later")]
    )
    assert (grown["conv"], grown["kind"], grown["count"]) == (group["conv"], "channel", BOUND + 2)
    return grown["conv"], grown["head"]


async def test_m3_a_group_that_outgrows_the_bound_becomes_a_channel(
    small: Node, name: Name, encoding: str
) -> None:
    async with company(small, name, "ann bob late", encoding) as (ann, bob, late):
        conv, head = await grow(small, ann, name, bob.user)
        turned = await bob.seen("event", conv=conv, type="conversation", kind="channel")
        sent = await ann.send(conv, "into the log", key())
        assert "seq" not in sent
        assert sent["n"] == head + 1, "n goes on"
        for line in (bob, late):
            await line.seen("channel", conv=conv, head=head + 1)
        mine = [event for event in await bob.read_all() if event["conv"] == conv]
        assert mine[-1]["n"] == turned["n"], "the last event copied into the timelines"
        assert [event["n"] for event in mine][: turned["n"]] == list(range(1, len(mine) + 1))
        joined = await late.seen("event", conv=conv, type="membership")
        assert (late.user, "added") in [(c["user"], c["change"]) for c in joined["changes"]]
        texts = [item.get("text") for item in await late.history(conv)]
        assert [text for text in texts if text] == ["one", "two", "into the log"]


async def test_m3_the_new_channel_can_be_opened_and_read(small: Node, name: Name) -> None:
    async with company(small, name, "ann bob late") as (ann, bob, late):
        conv, head = await grow(small, ann, name, bob.user)
        for line in (bob, late):
            assert (await line.call("open", conv=conv))["head"] == head
        await ann.send(conv, "hi", key())
        for line in (bob, late):
            assert (await line.seen("channel_event", conv=conv, n=head + 1))["text"] == "hi"
        item = await bob.conversation(conv)
        assert item is not None
        assert (item["kind"], item["head"], item["unread"]) == ("channel", head + 1, 3)
        item = await late.conversation(conv)
        assert item is not None
        assert item["unread"] == 1, "a new member's marks start at the head"


async def test_m3_nothing_is_lost_at_the_seam(small: Node, name: Name) -> None:
    """Messages race the add: each is in the timeline or in the log behind it, none in both."""
    async with company(small, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user, *(name(f"u{at}") for at in range(BOUND - 2)))
        conv = group["conv"]
        asked = [bob.ask("send", to=conv, key=key(), text=f"{at}") for at in range(15)]
        asked.append(ann.ask("group.add", conv=conv, key=key(), members=[name("late")]))
        asked += [bob.ask("send", to=conv, key=key(), text=f"{at}") for at in range(15, 30)]
        answers = await asyncio.gather(*asked)
        sents = [answer for answer in answers if answer["op"] == "sent"]
        assert len(sents) == 30
        mine = [event["n"] for event in await ann.read_all() if event["conv"] == conv]
        assert mine == list(range(1, len(mine) + 1))
        for sent in sents:
            assert ("seq" in sent) is (sent["n"] <= mine[-1]), sent
        items = await ann.history(conv)
        texts = [item["text"] for item in items if item["type"] == "message"]
        assert texts == [f"{at}" for at in range(30)]
        (turned,) = [item for item in items if item.get("kind") == "channel"]
        assert turned["n"] == mine[-1]


async def test_m3_edits_of_what_was_said_in_the_group_go_into_the_log(
    small: Node, name: Name
) -> None:
    async with company(small, name, "ann bob") as (ann, bob):
        conv, head = await grow(small, ann, name, bob.user)
        said = next(item for item in await bob.history(conv) if item.get("text") == "one")
        edited = await ann.call("edit", conv=conv, n=said["n"], key=key(), text="ONE")
        assert "seq" not in edited
        assert edited["n"] == head + 1
        assert (await bob.item(conv, said["n"]))["text"] == "ONE"
