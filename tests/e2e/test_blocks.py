"""Block lists. Row O6; that a block outlives the node is told in test_survival."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.e2e.stranger import company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def test_o6_direct_sends_of_a_blocked_user_are_forbidden(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        conv = (await bob.send(f"user:{ann.user}", "before", key()))["conv"]
        assert (await ann.call("block", user=bob.user))["op"] == "ok"
        for to in (f"user:{ann.user}", conv):
            error = await bob.refused("send", to=to, key=key(), text="x")
            assert (error["code"], error["retryable"]) == ("forbidden", False)
        assert (await cat.send(f"user:{ann.user}", "others may", key()))["n"] == 1
        await ann.events(2)
        await ann.quiet()
        assert (await ann.call("unblock", user=bob.user))["op"] == "ok"
        sent = await bob.send(f"user:{ann.user}", "after", key())
        assert sent["n"] == 2, "what was refused took no place"
        assert (await ann.event())["text"] == "after"


async def test_o6_a_first_message_is_refused_too(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        await ann.call("block", user=bob.user)
        error = await bob.refused("send", to=f"user:{ann.user}", key=key(), text="x")
        assert error["code"] == "forbidden"
        assert await bob.conversations() == []


async def test_o6_blocks_of_all_devices_and_for_all_devices(node: Node, name: Name) -> None:
    async with company(node, name, "ann ann/desk bob bob/desk") as (ann, ann_desk, bob, bob_desk):
        await ann.call("block", user=bob.user)
        for line in (bob, bob_desk):
            await line.refused("send", to=f"user:{ann.user}", key=key(), text="x")
        await ann_desk.call("unblock", user=bob.user)
        await bob_desk.send(f"user:{ann.user}", "x", key())


async def test_o6_groups_go_on(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        group = await ann.make_group(bob.user)
        await ann.call("block", user=bob.user)
        sent = await bob.send(group["conv"], "in the group", key())
        assert (await ann.seen("event", n=sent["n"]))["text"] == "in the group"


async def test_o6_an_edit_of_an_old_message_is_no_way_around_it(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await bob.send(f"user:{ann.user}", "before", key()))["conv"]
        await ann.call("block", user=bob.user)
        await bob.refused("edit", conv=conv, n=1, key=key(), text="abuse")
        await bob.refused("react", conv=conv, n=1, key=key(), emoji="👎", on=True)
        assert (await ann.item(conv, 1))["text"] == "before"
        assert "reactions" not in await ann.item(conv, 1)


async def test_o6_blocking_twice_and_unblocking_whom_nobody_blocked_are_fine(
    node: Node, name: Name
) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        await ann.call("unblock", user=bob.user)
        await ann.call("block", user=bob.user)
        await ann.call("block", user=bob.user)
        await ann.call("unblock", user=bob.user)
        await bob.send(f"user:{ann.user}", "x", key())
        await ann.call("block", user=name("nobody"))


async def test_o6_typing_of_a_blocked_user_is_not_shown(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await bob.send(f"user:{ann.user}", "before", key()))["conv"]
        await ann.call("block", user=bob.user)
        await bob.ask("typing", conv=conv, state="start")
        await ann.call("ping")
        assert not ann.pushed("typing")


async def test_o6_a_block_that_races_sends_leaves_no_half(node: Node, name: Name) -> None:
    """Each send is either answered and delivered or refused and nowhere."""
    async with company(node, name, "ann bob") as (ann, bob):
        asked = [bob.ask("send", to=f"user:{ann.user}", key=key(), text="x") for _ in range(15)]
        asked.append(ann.ask("block", user=bob.user))
        asked += [bob.ask("send", to=f"user:{ann.user}", key=key(), text="x") for _ in range(15)]
        answers = await asyncio.gather(*asked)
        places = [answer["seq"] for answer in answers if answer["op"] == "sent"]
        await ann.call("ping")
        assert [event["seq"] for event in ann.pushed("event")] == places
        assert answers[-1].get("code") in ("forbidden", None)
        error = await bob.refused("send", to=f"user:{ann.user}", key=key(), text="x")
        assert error["code"] == "forbidden"


@pytest.mark.parametrize("limit", ["SENDS_PER_SECOND", "SENDS_PER_SECOND_USER"])
async def test_o6_changes_are_limited_like_sends(
    start_node: Callable[..., Node], name: Name, limit: str
) -> None:
    """Edits and reactions cost what a message costs: no way around the limit."""
    node = start_node(env={f"HIVEWIRE_LIMITS__{limit}": "5"})
    async with company(node, name, "ann bob") as (ann, bob):
        conv = (await ann.send(f"user:{bob.user}", "x", key()))["conv"]
        codes: list[str] = []
        for at in range(40):
            asked = [
                ann.ask("react", conv=conv, n=1, key=key(), emoji="👍", on=at % 2 == 0)
                for at in range(20)
            ]
            codes += [answer.get("code", "sent") for answer in await asyncio.gather(*asked)]
            if "rate_limited" in codes:
                break
        assert set(codes) == {"sent", "rate_limited"}
