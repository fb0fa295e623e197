"""What HTTP answered survives kill -9; a drain cuts polls and refuses new calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from tests.e2e.http.web import Refused, Web
from tests.e2e.stranger import Stranger, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def test_c5_m5_i1_i12_what_rtm_send_answered_is_there_after_a_kill(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    bob = name("bob")
    answered: dict[str, dict[str, Any]] = {}

    async with Web.of(node, name("ann")) as ann:

        async def write(writer: int) -> None:
            for n in range(1000):
                name = f"key-{writer}-{n:04}"
                try:
                    answered[name] = await ann.send(bob, name, key=name)
                except (httpx.HTTPError, Refused):
                    return

        writers = [asyncio.create_task(write(writer)) for writer in range(4)]
        while len(answered) < 40:  # noqa: ASYNC110 - the writers write, whoever waits
            await asyncio.sleep(0.01)
        await asyncio.to_thread(node.kill9)
        await asyncio.gather(*writers)
    await asyncio.to_thread(node.restart)
    async with Web.of(node, name("ann")) as ann, Web.of(node, bob) as reader:
        events, after = [], 0
        while True:
            page = await reader.events(after=after, limit=500)
            events += page["events"]
            after = page["next"]
            if page["done"]:
                break
        there = {event["key"]: event for event in events}
        assert [event["seq"] for event in events] == [*range(1, len(events) + 1)]
        assert len(there) == len(events), "twice"
        for each, sent in answered.items():
            assert (there[each]["n"], there[each]["ts"]) == (sent["n"], sent["ts"])
        again = await ann.send(bob, "key-0-0000", key="key-0-0000")
        assert again == answered["key-0-0000"] | {"dup": True}


async def test_a_drain_answers_who_polls_and_what_was_taken(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    line = await Stranger.join(node, name("ann"))
    async with Web.of(node, name("bob")) as bob:
        polls = [
            asyncio.create_task(bob.events(after=0, wait=25)),
            asyncio.create_task(bob.receive(line.user, wait=25)),
        ]
        async with Web.of(node, None) as backend:
            while (await backend.get("/api/v1/server/info"))["polls"] < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        node.terminate()
        page, received = await asyncio.gather(*polls)
        assert (page["events"], page["done"]) == ([], True)
        assert received["messages"] == []
    assert await asyncio.to_thread(node.wait) == 0


async def test_c5_m8_a_poll_goes_on_where_it_was_after_a_restart(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"))
    bob = name("bob")
    for n in range(3):
        await ann.send(f"user:{bob}", f"{n}", key())
    async with Web.of(node, bob) as web:
        last = (await web.receive(ann.user, limit=2))["lastPos"]
        assert len((await web.events(after=0, limit=2))["events"]) == 2
    await asyncio.to_thread(node.stop)
    await asyncio.to_thread(node.restart)
    async with Web.of(node, bob) as web:
        assert [one["text"] for one in (await web.receive(ann.user, lastPos=last))["messages"]] == [
            "2"
        ]
        assert [event["text"] for event in (await web.events(after=2))["events"]] == ["2"]
