"""The Python client and a real node understand each other, verb by verb.

What the node does is tested from outside in tests/e2e; here it matters that the client asks in the
right words and reads every answer and push.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest

from hivewire.client import (
    ChannelEvent,
    ChannelHead,
    Client,
    CommandFailed,
    Line,
    Presence,
    Receipt,
    Recent,
    Typing,
    new_key,
)
from hivewire.client.connection import JSON, MSGPACK, Encoding
from tests.e2e.files import upload_texts
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.client import Event
    from hivewire.client.pushes import PushReader
    from tests.node import Node

    Name = Callable[[str], str]

PATIENCE = 10.0
P = TypeVar("P")


def client(node: Node, user: str, **options: object) -> Client:
    """A client of the user, not connected yet."""
    url = "ws://{}:{}/v1/ws".format(*node.edge)
    return Client(url, token(user), **({"device": "phone"} | options))  # type: ignore[arg-type]


async def next_event(reader: Client) -> Event:
    return await asyncio.wait_for(anext(reader), PATIENCE)


async def next_push(pushes: PushReader, kind: type[P]) -> P:
    """The next push of this kind."""

    async def search() -> P:
        async for push in pushes:
            if isinstance(push, kind):
                return push
        raise AssertionError("the client ended")

    return await asyncio.wait_for(search(), PATIENCE)


@pytest.fixture(params=[JSON, MSGPACK], ids=["json", "msgpack"])
def encoding(request: pytest.FixtureRequest) -> Encoding:
    return request.param


async def test_edit_recall_and_react_are_events_and_state(
    node: Node, name: Name, encoding: Encoding
) -> None:
    ann, ben = name("ann"), name("ben")
    async with client(node, ann, encoding=encoding) as a, client(node, ben) as b:
        first = await a.send(f"user:{ben}", text="helo")
        second = await a.send(f"user:{ben}", text="oops", reply_to=first.n, mentions=[ben])
        await a.edit(first.conv, first.n, "hello")
        await a.recall(first.conv, second.n)
        reaction = await b.react(first.conv, first.n, "👍")
        for reader in (a, b):
            events = [await next_event(reader) for _ in range(5)]
            assert [event.type for event in events] == [
                *("message", "message", "edit", "recall", "reaction")
            ]
            assert [event.n for event in events] == [1, 2, 3, 4, 5]
            assert [event.target for event in events[2:]] == [first.n, second.n, first.n]
            assert events[1].reply_to == first.n
        history = await b.history(first.conv)
        assert [item.n for item in history.items] == [1, 2, 3, 4, 5]
        assert (history.items[0].text, history.items[0].reactions) == ("hello", {"👍": [ben]})
        assert history.items[0].edited
        assert history.items[1].recalled
        assert history.items[1].text is None
        await b.react(first.conv, first.n, "👍", on=False)
        assert (await b.history(first.conv, before=2)).items[0].reactions == {}
        assert reaction.seq == 5


async def test_own_changes_look_the_same_on_the_device_that_made_them(
    node: Node, name: Name
) -> None:
    """They are not pushed there, the client fills them in; I5 holds for what they show, too."""
    ann, ben = name("ann"), name("ben")
    async with client(node, ann) as phone, client(node, ann, device="desk") as desk:
        first = await phone.send(f"user:{ben}", text="x", data={"a": [1]}, mentions=[ben])
        media = await upload_texts(node, ann, "one")
        await phone.send(first.conv, media=media, reply_to=first.n)
        await phone.edit(first.conv, first.n, "y")
        await phone.react(first.conv, first.n, "👍")
        await phone.react(first.conv, first.n, "👍", on=False)
        await phone.recall(first.conv, first.n)
        for _ in range(6):
            assert (await next_event(phone)).body == (await next_event(desk)).body


async def test_the_same_change_twice_is_one(node: Node, name: Name) -> None:
    ann, ben = name("ann"), name("ben")
    async with client(node, ann) as a:
        sent = await a.send(f"user:{ben}", text="x")
        key = new_key()
        once, twice = [await a.edit(sent.conv, sent.n, "y", key=key) for _ in range(2)]
        assert (once.n, once.dup, twice.n, twice.dup) == (2, False, 2, True)
        key = new_key()
        group, again = [await a.group_create(name="g", key=key) for _ in range(2)]
        assert (group.conv, group.dup, again.conv, again.dup) == (
            *(group.conv, False, group.conv, True),
        )


async def test_changes_under_way_survive_cuts_and_are_made_once(node: Node, name: Name) -> None:
    ann, ben = name("ann"), name("ben")
    lines: asyncio.Queue[Line] = asyncio.Queue()
    async with client(node, ann, on_line=lines.put_nowait) as a:
        assert await lines.get() is Line.ONLINE
        first = await a.send(f"user:{ben}", text="x")
        changes = [a.edit(first.conv, first.n, f"x{turn}") for turn in range(40)]
        changes += [a.react(first.conv, first.n, f"{turn}") for turn in range(40)]
        tasks = [asyncio.create_task(change) for change in changes]
        making = asyncio.create_task(a.group_create(name="team", members=[ben]))
        for _ in range(3):
            await cut(a, lines)
        places = [(await task).n for task in tasks]
        assert sorted(places) == list(range(2, 82))
        group = await making
        events = [await next_event(a) for _ in range(81 + group.head)]
        assert [event.seq for event in events] == list(range(1, 82 + group.head))
        shown = [event.n for event in events if event.conv == first.conv]
        assert shown == list(range(1, 82)), "own changes come in their place"
        made = [event.key for event in events if event.conv == first.conv and event.key]
        assert len(made) == len(set(made))


async def test_a_list_of_conversations_with_marks(node: Node, name: Name) -> None:
    ann, ben = name("ann"), name("ben")
    async with client(node, ann) as a:
        sent = [await a.send(f"user:{ben}", text=text) for text in ("one", "two", "three")]
        async with client(node, ben, from_start=True, recent=Recent(5, 2)) as b:
            assert [one.conv for one in b.recent] == [sent[0].conv]
            assert [item.text for item in b.recent[0].last] == ["two", "three"]
            pushes = a.pushes()
            await b.read(sent[0].conv, 2)
            while (receipt := await next_push(pushes, Receipt)).read < 2:
                pass
            assert (receipt.conv, receipt.user) == (sent[0].conv, ben)
            mine = (await b.conversations(messages=1)).items[0]
            assert (mine.kind, mine.head, mine.read, mine.unread) == ("direct", 3, 2, 1)
            assert [item.text for item in mine.last] == ["three"]
            theirs = (await a.conversations()).items[0]
            assert theirs.peers[ben].read == 2
            outcome = await a.outcome(sent[1].key)
            assert (outcome.sent.n, outcome.recipients[0].read) == (2, True)
            with pytest.raises(CommandFailed, match="not_found"):
                await a.outcome(new_key())


async def test_a_group_from_making_to_leaving(node: Node, name: Name, encoding: Encoding) -> None:
    ann, ben, cat = name("ann"), name("ben"), name("cat")
    async with client(node, ann, encoding=encoding) as a, client(node, ben) as b:
        group = await a.group_create(name="team", members=[ben])
        assert {(member.user, member.role) for member in group.members} == {
            *((ann, "owner"), (ben, "member"))
        }
        assert (group.kind, group.history, group.count) == ("group", "all", 2)
        assert (await a.group_add(group.conv, [cat])).count == 3
        assert (await a.group_rename(group.conv, "crew")).name == "crew"
        await a.group_role(group.conv, ben, "admin")
        assert (await b.group_remove(group.conv, [cat])).count == 2
        await b.send(group.conv, text="hi")
        await b.group_leave(group.conv)
        info = await a.group_info(group.conv)
        assert (info.name, [member.user for member in info.members]) == ("crew", [ann])
        members = await a.group_members(group.conv)
        assert ([member.user for member in members.items], members.next) == ([ann], None)
        with pytest.raises(CommandFailed, match="forbidden"):
            await b.group_info(group.conv)
        seen = [await next_event(a) for _ in range(info.head)]
        assert [event.n for event in seen] == list(range(1, info.head + 1))
        assert {event.type for event in seen} == {"conversation", "membership", "message"}


async def test_a_channel_is_opened_read_and_opened_again_after_a_cut(
    node: Node, name: Name
) -> None:
    ann, ben = name("ann"), name("ben")
    lines: asyncio.Queue[Line] = asyncio.Queue()
    async with client(node, ann) as a, client(node, ben, on_line=lines.put_nowait) as b:
        assert await lines.get() is Line.ONLINE
        channel = (await a.group_create(kind="channel", name="news", members=[ben])).conv
        pushes = b.pushes()
        sent = await a.send(channel, text="first")
        assert sent.seq is None
        assert (await next_push(pushes, ChannelHead)).conv == channel
        head = await b.open_channel(channel)
        assert head >= sent.n
        second = await a.send(channel, text="second")
        item = (await next_push(pushes, ChannelEvent)).item
        assert (item.conv, item.n, item.text, item.sender) == (channel, second.n, "second", ann)
        await cut(b, lines)
        while (await next_push(pushes, ChannelHead)).head < second.n:
            pass
        third = await a.send(channel, text="third")
        assert (await next_push(pushes, ChannelEvent)).item.n == third.n
        items = (await b.history(channel, after=head)).items
        assert [item.text for item in items] == ["second", "third"]
        await b.close_channel(channel)


async def test_typing_presence_and_blocks(node: Node, name: Name, encoding: Encoding) -> None:
    ann, ben = name("ann"), name("ben")
    async with client(node, ann, encoding=encoding) as a:
        (before,) = await a.watch([ben])
        assert (before.user, before.state) == (ben, "offline")
        pushes = a.pushes()
        async with client(node, ben) as b:
            assert (await next_push(pushes, Presence)).changes[0].state == "online"
            sent = await b.send(f"user:{ann}", text="x")
            b.typing(sent.conv)
            assert await next_push(pushes, Typing) == Typing(sent.conv, ben, "start")
            await b.status("away")
            assert (await next_push(pushes, Presence)).changes[0].state == "away"
            await a.block(ben)
            with pytest.raises(CommandFailed, match="forbidden"):
                await b.send(f"user:{ann}", text="y")
            await a.unblock(ben)
            await b.send(f"user:{ann}", text="z")
            await a.unwatch([ben])


async def test_a_heartbeat_is_granted_between_its_bounds(node: Node, name: Name) -> None:
    async with client(node, name("ann")) as a:
        granted = await a.heartbeat(1_000)
        assert (granted.interval_ms, granted.driver) == (15_000, "server")
        granted = await a.heartbeat(900_000, driver="client")
        assert (granted.interval_ms, granted.driver) == (300_000, "client")


async def cut(reader: Client, lines: asyncio.Queue[Line]) -> None:
    """Cut the line as a network does, and wait for the next one."""
    reader._lines.cut()
    for line in (Line.OFFLINE, Line.ONLINE):
        assert await asyncio.wait_for(lines.get(), PATIENCE) is line
