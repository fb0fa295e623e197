"""SIGTERM with many lines, among them such that do not play along: protocol section 8."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.rfc6455 import Line, request
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import get
from tests.integration.test_overload import deaf_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

CLIENTS = 50
SPREAD_MS = 4_000


def test_no_signal_goes_to_a_thread_with_a_file_table_of_its_own(node: Node) -> None:
    """Its handler would write to a number that is nothing there, or a client's socket."""
    masks: list[int] = []
    for task in Path(f"/proc/{node.pid}/task").iterdir():
        if (task / "comm").read_text().startswith("hw-shard"):
            (mask,) = re.findall(r"^SigBlk:\s*(\w+)$", (task / "status").read_text(), re.MULTILINE)
            masks.append(int(mask, 16))
    assert masks
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        assert all(mask >> (number - 1) & 1 for mask in masks), number


async def test_fifty_clients_get_slots_and_no_stuck_one_holds_the_exit(
    start_node: Callable[..., Node],
) -> None:
    """The limit of the drain is far away: what ends it is that everybody was given his time."""
    env = {"HIVEWIRE_DRAIN__SPREAD": f"{SPREAD_MS}ms", "HIVEWIRE_DRAIN__TIME": "5m"}
    node = start_node(env=env)
    encodings = ("json", "msgpack")
    lines = [
        await Stranger.join(node, f"user{at}", encoding=encodings[at % 2]) for at in range(CLIENTS)
    ]
    stuck = await stuck_lines(node)
    asked = {
        name: line.ask("send", to="user:user0", key=name, text="last")
        for name, line in ((key(), line) for line in lines)
    }
    node.terminate()
    ends = [await line.expect_closed(4000) for line in lines]
    ready, _ = await asyncio.to_thread(get, node, "/health/ready")
    assert ready == 503, "the stuck ones are still there, and nobody new is sent here"
    await turned_away(node)
    slots = [end.bye["delay_ms"] for end in ends if end.bye is not None]
    assert len(slots) == CLIENTS
    assert all(0 <= slot <= SPREAD_MS for slot in slots)
    # That one of four slices stays empty happens in one run of a million.
    assert {slot * 4 // (SPREAD_MS + 1) for slot in slots} == {0, 1, 2, 3}
    assert await asyncio.to_thread(node.wait) == 0
    for writer in stuck:
        writer.close()
    answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    answered = {
        name
        for name, answer in zip(asked, answers, strict=True)
        if isinstance(answer, dict) and answer["op"] == "sent"
    }
    await asyncio.to_thread(node.restart)
    async with await Stranger.join(node, "user0", cursor=0) as again:
        assert answered <= {event["key"] for event in await again.read_all()}


async def turned_away(node: Node) -> None:
    reader, writer = await asyncio.open_connection(*node.edge)
    writer.write(request()[0])
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).lower()
    assert head.startswith(b"http/1.1 503")
    assert b"retry-after:" in head
    writer.close()


async def stuck_lines(node: Node) -> list[asyncio.StreamWriter]:
    """Lines that hang:

    one that says nothing, one in the middle of its upgrade, one that does not answer the Close, one
    that reads nothing and has more waiting for it than its socket takes.
    """
    silent = await asyncio.open_connection(*node.edge)
    halfway = await asyncio.open_connection(*node.edge)
    halfway[1].write(request()[0][:40])
    rude = await Line.open(node.edge)
    deaf = await deaf_line(node, "deaf")
    async with await Stranger.join(node, "loud") as loud:
        for _ in range(40):
            await loud.send("user:deaf", "x" * 12_000, key())
    return [silent[1], halfway[1], rude.writer, deaf.line.writer]
