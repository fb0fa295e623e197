"""What a client shows first: from memory, exact, and never at the cost of the others. Row O4."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.e2e.stranger import Stranger, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

MANY = 12_000
"""Unread messages that take several turns to count."""


def figure(node: Node, name: str) -> float:
    """One of the node's metrics."""
    with urllib.request.urlopen(f"http://{node.api[0]}:{node.api[1]}/metrics") as page:
        lines = page.read().decode().splitlines()
    (line,) = [line for line in lines if line.startswith(f"hivewire_{name} ")]
    return float(line.split()[1])


async def fill(line: Stranger, to: str, count: int) -> dict[str, Any]:
    """Send so many messages, many at once. Returns the last `sent`."""
    sent: list[dict[str, Any]] = []
    for start in range(0, count, 30):
        batch = range(start, min(start + 30, count))
        calls = [line.ask("send", to=to, text=f"text {number}", key=key()) for number in batch]
        sent = await asyncio.gather(*calls)
    return sent[-1]


async def test_o4_the_last_messages_of_the_last_conversations_come_from_memory(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    bob = name("bob")
    others = [await Stranger.join(node, name(f"u{number}")) for number in range(5)]
    for other in others:
        await fill(other, f"user:{bob}", 20)
    wish = {"conversations": 5, "messages": 15}
    async with await Stranger.join(node, bob, recent=wish) as first:
        seen = first.connected["recent"]["items"]
    before = figure(node, "history_hits_total"), figure(node, "history_misses_total")
    assert before == (0, 5)
    await others[0].send(f"user:{bob}", "the newest", key())
    async with await Stranger.join(node, bob, "tab", recent=wish) as second:
        again = second.connected["recent"]["items"]
    assert (figure(node, "history_hits_total"), figure(node, "history_misses_total")) == (5, 5)
    assert [len(item["last"]) for item in seen] == [len(item["last"]) for item in again] == [15] * 5
    assert again[0]["last"][-1]["text"] == "the newest"
    assert again[0]["last"][:-1] == next(
        item["last"][1:] for item in seen if item["conv"] == again[0]["conv"]
    )
    for other in others:
        await other.leave()


async def test_a_long_count_is_exact_and_others_are_served_meanwhile(
    start_node: Callable[..., Node], name: Name
) -> None:
    # Little is kept, so that nothing was counted before.
    node = start_node(env={"HIVEWIRE_STORE__CACHE_UNREAD": "1024"})
    ann, bob = await Stranger.join(node, name("ann")), await Stranger.join(node, name("bob"))
    made = await ann.call("group.create", key=key(), kind="channel", name="n", members=[bob.user])
    last = await fill(ann, made["conv"], MANY)
    await bob.call("send", to=made["conv"], text="mine", key=key())
    await ann.call("recall", conv=made["conv"], n=last["n"], key=key())
    counting = bob.ask("conversations", limit=10)
    waits: list[float] = []
    while not counting.done():
        begun = time.monotonic()
        await ann.call("read", conv=made["conv"], n=1)
        waits.append(time.monotonic() - begun)
    (item,) = (await counting)["items"]
    assert (item["unread"], item["head"]) == (MANY - 1, last["n"] + 2)
    assert len(waits) > 2, "nobody was served while it was counted"
    for line in (ann, bob):
        await line.leave()
