"""Pages are asked for and events acknowledged as the application consumes them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hivewire.client.errors import CommandFailed, Disconnected
from hivewire.client.reading import ACK_EVENTS, ACK_SECONDS, Reading
from hivewire.client.session import Session
from tests.unit.client.test_session import connected, event
from tests.unit.client.virtual import run

pytestmark = pytest.mark.unit


class Wire:
    """A line that is connected at 0, and what the reading puts on it."""

    def __init__(self, *, head: int = 0, failure: Exception | None = None) -> None:
        self.log: list[dict[str, Any]] = []
        self.refused: list[CommandFailed] = []
        self.session = Session("phone", 0)
        self.session.on_connected(connected(0, head))
        self.failure = failure
        self.reading = Reading(self.session, self.log.append, self.call, self.refused.append)
        self.reading.online = True

    async def call(self, command: dict[str, Any]) -> dict[str, Any]:
        self.log.append(command)
        if self.failure is not None:
            raise self.failure
        return {}

    def consume(self, first: int, last: int) -> None:
        for seq in range(first, last + 1):
            self.session.on_event(event(seq))
            self.session.take()
            self.reading.acknowledge_soon()

    def acks(self) -> list[int]:
        return [command["seq"] for command in self.log if command["op"] == "ack"]


def test_acks_come_after_so_many_events_or_so_long() -> None:
    async def story() -> None:
        wire = Wire()
        wire.consume(1, ACK_EVENTS)
        assert wire.acks() == [], "the last one is in the application's hands"
        wire.consume(ACK_EVENTS + 1, ACK_EVENTS + 3)
        assert wire.acks() == [ACK_EVENTS]
        await asyncio.sleep(ACK_SECONDS + 0.01)
        assert wire.acks() == [ACK_EVENTS, ACK_EVENTS + 2]
        await asyncio.sleep(10)
        assert len(wire.acks()) == 2

    run(story())


def test_nothing_is_acknowledged_without_a_line() -> None:
    async def story() -> None:
        wire = Wire()
        wire.consume(1, 3)
        wire.reading.stop()
        await asyncio.sleep(1)
        wire.reading.acknowledge()
        assert wire.acks() == []

    run(story())


def test_a_page_is_asked_for_once_and_counts_as_an_ack() -> None:
    async def story() -> None:
        wire = Wire(head=5)
        wire.reading.catch_up()
        wire.reading.catch_up()
        await asyncio.sleep(0)
        assert wire.log == [{"op": "sync", "after": 0, "limit": 100}]

    run(story())


def test_a_refused_page_is_told_a_lost_one_is_not() -> None:
    async def story() -> None:
        answer = {"op": "error", "code": "internal", "message": ""}
        wire = Wire(head=5, failure=CommandFailed(answer))
        wire.reading.catch_up()
        await asyncio.sleep(0.1)
        assert [error.code for error in wire.refused] == ["internal"]
        wire = Wire(head=5, failure=Disconnected("gone"))
        wire.reading.catch_up()
        await asyncio.sleep(0.1)
        assert wire.refused == []

    run(story())
