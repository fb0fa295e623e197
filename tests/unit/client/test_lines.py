"""Lines come back with the ticket, with the token, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.client.connection import JSON
from hivewire.client.errors import Closed, CommandFailed
from hivewire.client.lines import Lines
from hivewire.client.outgoing import Outgoing
from hivewire.client.writer import Writer
from tests.unit.client.peer import Peer, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.unit


class Kept:
    """Lines that are kept open, as the client does it."""

    def __init__(self, url: str) -> None:
        self.lost: list[bool] = []
        writer = Writer(None, lambda error: None)
        self.outgoing = Outgoing(self.transmit, writer, lambda status: None)
        self.lines = Lines(
            url,
            "token-1",
            JSON,
            hello=lambda: {"device": "phone"},
            call=self.outgoing.call,
            receive=self.receive,
            on_lost=self.on_lost,
        )

    def transmit(self, message: dict[str, Any]) -> None:
        self.lines.send(message)

    def receive(self, message: dict[str, Any]) -> None:
        if message["op"] == "bye":
            self.lines.on_bye(message)
            return
        if message["op"] == "connected":
            self.lines.on_connected(message)
        self.outgoing.on_answer(message)

    def on_lost(self, without_a_word: bool) -> None:
        self.lost.append(without_a_word)
        self.outgoing.on_offline()

    async def run(self) -> None:
        await self.lines.stay(await self.lines.open())


@contextlib.asynccontextmanager
async def kept() -> AsyncIterator[tuple[Peer, Kept, asyncio.Task[None]]]:
    async with listening() as peer:
        lines = Kept(peer.url)
        task = asyncio.create_task(lines.run())
        try:
            yield peer, lines, task
        finally:
            task.cancel()
            await asyncio.wait((task,))
            await lines.lines.close()


async def test_token_first_then_the_ticket_then_the_token_when_it_is_stale() -> None:
    async with kept() as (peer, lines, _):
        first = await peer.line()
        assert (await first.connected())["token"] == "token-1"
        first.transport.disconnect()
        second = await peer.line()
        command = await second.receive("connect")
        assert command["ticket"] == "ticket-1"
        assert "token" not in command
        second.close(4002, "stale")
        third = await peer.line()
        command = await third.connected()
        assert (command["token"], command.get("ticket")) == ("token-1", None)
        assert lines.lost == [True]


async def test_how_a_line_ended_is_told() -> None:
    async with kept() as (peer, lines, _):
        first = await peer.line()
        await first.connected()
        first.send("bye", code=4000, reason="", reconnect=True, delay_ms=0)
        first.close(4000)
        second = await peer.line()
        await second.connected()
        assert lines.lost == [False]


async def test_bye_may_send_us_elsewhere() -> None:
    async with listening() as elsewhere, kept() as (peer, _, _task):
        line = await peer.line()
        await line.connected()
        line.send("bye", code=4001, reason="", reconnect=True, delay_ms=0, url=elsewhere.url)
        line.close(4001)
        assert (await (await elsewhere.line()).connected())["ticket"] == "ticket-1"


async def test_a_refusal_that_may_pass_is_tried_again_another_ends() -> None:
    async with kept() as (peer, _, task):
        await (await peer.line()).connected()
        for code, retryable in (("unavailable", True), ("forbidden", False)):
            await _cut_and_refuse(peer, code, retryable=retryable)
        with pytest.raises(CommandFailed, match="forbidden"):
            await asyncio.wait_for(asyncio.shield(task), 10)


async def _cut_and_refuse(peer: Peer, code: str, *, retryable: bool) -> None:
    peer.accepted[-1].transport.disconnect()
    line = await peer.line()
    command = await line.receive("connect")
    line.send("error", id=command["id"], code=code, message="", retryable=retryable)


async def test_a_code_that_is_final_ends() -> None:
    async with kept() as (peer, _, task):
        line = await peer.line()
        await line.connected()
        line.close(4505, "replaced")
        with pytest.raises(Closed, match="4505: replaced"):
            await asyncio.wait_for(asyncio.shield(task), 10)


async def test_a_line_that_is_not_there_yet_is_tried_until_it_is() -> None:
    async with listening() as peer:
        lines = Kept(peer.url)
        peer.refuse = 1
        task = asyncio.create_task(lines.lines.stay(None))
        await (await peer.line()).connected()
        assert peer.refuse == 0
        task.cancel()
        await asyncio.wait((task,))
        await lines.lines.close()
