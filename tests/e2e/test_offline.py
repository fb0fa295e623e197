"""What an absent user finds, and the cursor of each of his devices. Rows O1, O2, M8."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def mixed_traffic(ann: Stranger, absent: str, other: str) -> int:
    """Every kind of event into the timeline of an absent user; returns how many."""
    sent = await ann.send(f"user:{absent}", "direct", key())
    group = await ann.make_group(absent)
    said = await ann.send(group["conv"], "in the group", key(), mentions=[absent])
    await ann.call("edit", conv=said["conv"], n=said["n"], key=key(), text="changed")
    await ann.call("react", conv=said["conv"], n=said["n"], key=key(), emoji="👍", on=True)
    await ann.call("recall", conv=sent["conv"], n=1, key=key())
    await ann.call("group.add", conv=group["conv"], key=key(), members=[other])
    await ann.call("group.update", conv=group["conv"], key=key(), name="new")
    await ann.send(group["conv"], "last", key())
    return group["head"] + 8


def _fixed(event: dict[str, Any]) -> dict[str, Any]:
    """What no later change touches: a message's text may be edited or recalled."""
    ours = {"op"} if event["type"] != "message" else {
        "op", "text", "edited", "recalled", "reactions", "reaction_counts",
    }  # fmt: skip
    return {field: value for field, value in event.items() if field not in ours}


@pytest.mark.parametrize("limit", [1, 3, 500])
async def test_o1_an_absent_user_gets_everything_in_pages(
    node: Node, name: Name, encoding: str, limit: int
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        count = await mixed_traffic(ann, name("bob"), name("cat"))
    async with await Stranger.join(node, name("bob"), cursor=0, encoding=encoding) as bob:
        assert bob.connected["head"] == count
        events = await bob.read_all(0, limit)
        assert [event["seq"] for event in events] == list(range(1, count + 1))
        kinds = {event["type"] for event in events}
        assert kinds == {
            "message", "edit", "recall", "reaction", "membership", "conversation",
        }  # fmt: skip
        places: dict[str, list[int]] = {}
        for event in events:
            places.setdefault(event["conv"], []).append(event["n"])
        for numbers in places.values():
            assert numbers == list(range(1, len(numbers) + 1)), "n has no hole either"


async def test_o1_pages_say_what_was_pushed(node: Node, name: Name, encoding: str) -> None:
    """A device that was there and one that was not know the same (but for what was recalled)."""
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        count = await mixed_traffic(ann, bob.user, name("cat"))
        pushed = await bob.events(count)
        async with await Stranger.join(node, bob.user, "desk", cursor=0) as desk:
            pages = await desk.read_all(0, 2)
        assert [_fixed(event) for event in pages] == [_fixed(event) for event in pushed]
        assert (pages[0]["n"], pages[0]["type"]) == (1, "message")


async def test_o1_the_next_page_acknowledges_the_one_before(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        for at in range(6):
            conv = (await ann.send(f"user:{name('bob')}", f"{at}", key()))["conv"]
        async with await Stranger.join(node, name("bob"), cursor=0, sync=2) as bob:
            assert bob.connected["page"]["next"] == 2
            page = await bob.sync(2, 2)
            assert page["next"] == 4
            await ann.seen("receipt", conv=conv, user=bob.user, delivered=2)
        async with await Stranger.join(node, name("bob"), encoding=encoding) as again:
            assert again.connected["cursor"] == 2
            events = await again.read_all(again.connected["cursor"])
            assert [event["text"] for event in events] == ["2", "3", "4", "5"]


async def test_o1_catching_up_while_a_group_talks_misses_nothing(node: Node, name: Name) -> None:
    async with company(node, name, "ann cat") as (ann, cat):
        group = await ann.make_group(cat.user, name("bob"))
        conv = group["conv"]
        for turn in range(8):
            await asyncio.gather(
                *(line.ask("send", to=conv, key=key(), text="x") for line in (ann, cat) * 5)
            )
            async with await Stranger.join(node, name("bob"), f"d{turn}", cursor=0) as bob:
                asked = [ann.ask("send", to=conv, key=key(), text="x") for _ in range(20)]
                events = await bob.read_all(0, 7)
                await asyncio.gather(*asked)
                head = (await ann.conversation(conv) or {})["head"]
                await bob.until(lambda line=bob, n=head: _newest(line) >= n)
                pushed = [m["seq"] for m in bob.received if m["op"] == "event"]
                seqs = [event["seq"] for event in events] + pushed
                assert seqs == list(range(1, head + 1))


def _newest(line: Stranger) -> int:
    """The newest `n` that a line has got, in pages or pushed."""
    pages = [event["n"] for m in line.received for event in m.get("events", [])]
    return max(pages + [m["n"] for m in line.received if m["op"] == "event"], default=0)


# -- devices ----------------------------------------------------------------------------------


async def test_o2_each_device_has_its_own_cursor(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob bob/desk", encoding, cursor=0) as (ann, bob, desk):
        for line in (bob, desk):
            await line.sync(0)
        for at in range(5):
            await ann.send(f"user:{bob.user}", f"{at}", key())
        await bob.call("ack", seq=2)
        await desk.call("ack", seq=4)
    for device, cursor in (("phone", 2), ("desk", 4)):
        async with await Stranger.join(node, name("bob"), device, encoding=encoding) as line:
            assert (line.connected["new_device"], line.connected["cursor"]) == (False, cursor)
            assert len(await line.read_all(cursor)) == 5 - cursor


async def test_o2_own_sends_and_changes_reach_ones_other_devices(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann ann/desk ann/tab bob", encoding) as lines:
        ann, desk, tab, bob = lines
        sent = await ann.send(f"user:{bob.user}", "x", key())
        await desk.call("edit", conv=sent["conv"], n=1, key=key(), text="y")
        await tab.call("react", conv=sent["conv"], n=1, key=key(), emoji="👍", on=True)
        for line in (ann, desk, tab):
            await line.call("ping")
            places = [m["seq"] for m in line.received if m["op"] in ("event", "sent")]
            assert places == [1, 2, 3]


async def test_o2_a_device_of_the_same_name_replaces_the_first(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        await bob.call("ack", seq=group["head"])
        async with await Stranger.join(node, bob.user, encoding=encoding) as second:
            end = await bob.expect_closed(4505)
            assert end.bye is not None
            assert end.bye["reconnect"] is False
            sent = await ann.send(group["conv"], "only once", key())
            event = await second.event()
            assert (event["seq"], event["text"]) == (sent["n"], "only once")
            await second.quiet()


async def test_o2_ten_devices_at_once_and_no_eleventh(node: Node, name: Name) -> None:
    people = " ".join(f"ann/d{at}" for at in range(10))
    async with company(node, name, f"bob {people}") as (bob, *devices):
        assert devices[0].connected["limits"]["devices"] == 10
        late = await Stranger.dial(node)
        late.tell("connect", id=1, token=token(name("ann")), device="late")
        await late.expect_closed(4504)
        await bob.send(f"user:{name('ann')}", "to all", key())
        for line in devices:
            assert (await line.event())["text"] == "to all"
        # One that goes makes room.
        await devices[0].leave()
        await (await Stranger.join(node, name("ann"), "late")).leave()


# -- numbers ----------------------------------------------------------------------------------


async def test_m8_a_lost_tail_is_seen_in_the_head(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        sent = await ann.send(group["conv"], "the last", key())
        await bob.seen("event", n=sent["n"])
        assert (await bob.call("ping"))["head"] == sent["n"]
        assert (await bob.sync(sent["n"] - 1))["events"][0]["text"] == "the last"


async def test_m8_numbers_go_on_without_a_hole_after_a_crash(
    start_node: Callable[..., Node], name: Name, encoding: str
) -> None:
    """Groups, edits, membership, all under way when the node dies: I3 and I12."""
    node = start_node()
    heads: dict[str, Any] = {}
    for turn in range(3):
        async with company(node, name, "ann bob", encoding) as (ann, bob):
            if turn == 0:
                heads = await ann.make_group(bob.user)
            conv = heads["conv"]
            asked: list[asyncio.Future[dict[str, Any]]] = []
            for at in range(10):
                asked += [
                    ann.ask("send", to=conv, key=key(), text="x"),
                    bob.ask("send", to=conv, key=key(), text="y"),
                    ann.ask("edit", conv=conv, n=heads["head"] + 1, key=key(), text=f"{at}"),
                    ann.ask("group.update", conv=conv, key=key(), name=f"{at}"),
                ]
            await asyncio.wait_for(asked[12], 5)
            node.kill9()
            done = await asyncio.gather(*asked, return_exceptions=True)
        await asyncio.to_thread(node.restart)
        async with company(node, name, "ann bob", encoding, cursor=0) as (ann, bob):
            items = [item["n"] for item in await ann.history(conv)]
            assert items == list(range(1, len(items) + 1))
            answered = {a["n"] for a in done if isinstance(a, dict) and a["op"] == "sent"}
            assert answered <= set(items)
            for line in (ann, bob):
                events = await line.read_all()
                assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
                assert [event["n"] for event in events] == items
            sent = await bob.send(conv, "goes on", key())
            assert sent["n"] == items[-1] + 1


# -- older than the retention -----------------------------------------------------------------


async def test_o1_who_was_away_too_long_still_gets_everything(
    start_node: Callable[..., Node], name: Name, encoding: str
) -> None:
    """From `trimmed_before` - 1 until live, then `conversations` and `history`."""
    env = {"HIVEWIRE_STORE__RETENTION": "1s", "HIVEWIRE_STORE__RETENTION_PASS": "100ms"}
    node = start_node(env=env)
    async with company(node, name, "ann bob/tab", encoding) as (ann, tab):
        await ann.send(f"user:{name('bob')}", "old", key())
        group = await ann.make_group(name("bob"))
        await ann.send(group["conv"], "old too", key())
        await tab.events(group["head"] + 2)
        async with asyncio.timeout(20):
            floor = 1
            while floor < group["head"] + 3:
                await asyncio.sleep(0.1)
                floor = (await tab.sync(group["head"] + 2))["trimmed_before"]
        async with await Stranger.join(node, name("bob"), cursor=0, encoding=encoding) as bob:
            assert bob.connected["trimmed_before"] == floor == bob.connected["head"] + 1
            sent = await ann.send(group["conv"], "new", key())
            events = await bob.read_all(floor - 1)
            assert [event["seq"] for event in events] == [floor]
            assert (events[0]["n"], events[0]["text"]) == (sent["n"], "new")
            items = {item["conv"]: item for item in await bob.conversations()}
            assert len(items) == 2
            assert sorted(item["unread"] for item in items.values()) == [1, 2]
            for conv, item in items.items():
                assert [i["n"] for i in await bob.history(conv)] == list(range(1, item["head"] + 1))
            assert "old too" in str(await bob.history(group["conv"]))
