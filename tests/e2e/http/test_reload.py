"""A reload of the node, as those who call over HTTP see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from tests.e2e.http.web import Refused, Web
from tests.e2e.test_command_line import hivewire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def test_c5_m5_what_is_sent_across_reloads_is_there_once(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    bob, answered, reloads = name("bob"), dict[str, int](), 3
    stop = asyncio.Event()
    async with Web.of(node, name("ann")) as ann, Web.of(node, bob) as reader:

        async def write() -> None:
            n = 0
            while not stop.is_set():
                each = f"key-{n:06}"
                try:
                    answered[each] = (await ann.send(bob, each, key=each))["n"]
                except (httpx.HTTPError, Refused):
                    await asyncio.sleep(0.01)
                    continue
                n += 1

        async def read() -> list[str]:
            after, seen = 0, list[str]()
            while not stop.is_set() or len(seen) < len(answered):
                try:
                    page = await reader.events(after=after, wait=1)
                except (httpx.HTTPError, Refused):
                    await asyncio.sleep(0.01)
                    continue
                seen += [event["key"] for event in page["events"]]
                after = page["next"]
            return seen

        writing, reading = asyncio.create_task(write()), asyncio.create_task(read())
        for _ in range(reloads):
            before = len(answered)
            while len(answered) < before + 10:  # noqa: ASYNC110 - the writer writes
                await asyncio.sleep(0.01)
            done = await asyncio.to_thread(hivewire, "reload", "--data", str(node.data))
            assert done.returncode == 0, done.stderr
        stop.set()
        await writing
        assert await reading == sorted(answered)
