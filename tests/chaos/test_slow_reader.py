"""R7: in a group of twenty one stops reading. It hurts only itself, and resumes whole. I8 I7."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.rfc6455 import Line, request
from tests.e2e.stranger import Stranger, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

READERS = 20
PHASE = 150
"""Messages a phase; phases in which all read and in which one does not take turns."""
PHASES = 3
FLOOD = 800
TEXT = "x" * 8_000
PACE_SECONDS = 0.01
SMALL_OUTBOX = {
    "HIVEWIRE_LIMITS__OUTBOX_HARD": "256KiB",
    "HIVEWIRE_LIMITS__OUTBOX_SOFT": "64KiB",
}
MEMORY = 64 << 20
SLACK_SECONDS = 0.02
"""What a busy machine may add to a percentile."""


class Reader:
    """A member of the group with a small receive buffer, who notes when each message came."""

    def __init__(self, stranger: Stranger) -> None:
        self.stranger = stranger
        self.arrived: dict[str, float] = {}
        self.events: list[dict[str, Any]] = []
        stranger.on_receive = self._receive

    @classmethod
    async def join(cls, node: Node, user: str, cursor: int | None = None) -> Reader:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        raw.connect(node.edge)
        raw.setblocking(False)
        line = Line(*await asyncio.open_connection(sock=raw, limit=16_384))
        line.writer.write(request()[0])
        assert (await line.http_response())[0] == 101
        reader = cls(Stranger(line, "json"))
        fields = {} if cursor is None else {"cursor": cursor}
        await reader.stranger.connect(token=token(user), device="phone", **fields)
        return reader

    def _receive(self, message: dict[str, Any]) -> None:
        if message["op"] == "event":
            self.arrived[message["key"]] = time.monotonic()
            self.events.append(message)

    def stop(self) -> None:
        self.stranger.line.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def go_on(self) -> None:
        self.stranger.line.writer.transport.resume_reading()  # type: ignore[attr-defined]


@pytest.mark.timeout(180)
async def test_i8_a_reader_who_stops_hurts_only_itself_and_resumes_whole(
    start_node: Callable[..., Node], name: Callable[[str], str]
) -> None:
    node = start_node(env=SMALL_OUTBOX)
    users = [name(f"reader{number}") for number in range(READERS)]
    async with await Stranger.join(node, name("author")) as author:
        conv = (await author.make_group(*users))["conv"]
        readers = [await Reader.join(node, user, cursor=0) for user in users]
        for reader in readers:
            await reader.stranger.read_all(0)
        before = node.resident_bytes()
        lags: dict[bool, list[float]] = {False: [], True: []}
        slow = readers[0]
        for phase in range(2 * PHASES):
            one_stops = phase % 2 == 1
            if one_stops:
                slow.stop()
            lags[one_stops] += await _one_phase(author, conv, readers[1:])
            if phase == 2 * PHASES - 1:
                await _flood(author, conv)
            if one_stops:
                assert node.resident_bytes() - before < MEMORY
                closed = phase == 2 * PHASES - 1
                slow = readers[0] = await _come_back(node, users[0], slow, closed=closed)
        _assert_alike(lags)
        for reader in readers:
            await reader.stranger.leave()


async def _one_phase(author: Stranger, conv: str, healthy: list[Reader]) -> list[float]:
    """Send at a steady pace; from each send to its arrival at each healthy reader, in seconds."""
    sent: dict[str, float] = {}
    for _ in range(PHASE):
        name = key()
        sent[name] = time.monotonic()
        await author.send(conv, TEXT, name)
        await asyncio.sleep(PACE_SECONDS)
    await asyncio.gather(*(reader.stranger.call("ping") for reader in healthy))
    return [reader.arrived[name] - at for reader in healthy for name, at in sent.items()]


async def _flood(author: Stranger, conv: str) -> None:
    """More than the kernel's buffers and the outbox together hold for one connection."""
    for _ in range(FLOOD // 20):
        asked = [author.ask("send", to=conv, key=key(), text=TEXT) for _ in range(20)]
        await asyncio.gather(*asked)


async def _come_back(node: Node, user: str, slow: Reader, *, closed: bool) -> Reader:
    """Read what is left of the line, whether or not the node has ended it; then resume, whole."""
    slow.go_on()
    if closed:
        end = await slow.stranger.ended(20)
        assert end.code in (4003, None), "the Close may not fit behind what it did not read"
    got = slow.events
    assert [event["seq"] for event in got] == list(range(got[0]["seq"], got[0]["seq"] + len(got)))
    await slow.stranger.leave()
    back = await Reader.join(node, user, cursor=got[-1]["seq"])
    rest = await back.stranger.read_all(got[-1]["seq"])
    assert [event["n"] for event in rest] == list(
        range(got[-1]["n"] + 1, got[-1]["n"] + 1 + len(rest))
    )
    assert got[-1]["n"] + len(rest) == (await back.stranger.conversations())[0]["head"]
    return back


def _assert_alike(lags: dict[bool, list[float]]) -> None:
    """The others' p99 is what it was, give or take; the figures are printed."""
    p99 = {state: sorted(some)[len(some) * 99 // 100] for state, some in lags.items()}
    words = f"p99 {p99[False] * 1e3:.1f} ms, while one does not read {p99[True] * 1e3:.1f} ms"
    print(words)  # noqa: T201 - a figure for the curious
    assert p99[True] < 2 * p99[False] + SLACK_SECONDS, words
