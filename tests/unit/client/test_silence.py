"""A quiet server is pinged, and given up after two unanswered pings (protocol section 8)."""

from __future__ import annotations

import asyncio

import pytest

from hivewire.client.silence import Silence
from tests.unit.client.virtual import run

pytestmark = pytest.mark.unit

HEARTBEAT = {"interval_ms": 25_000, "timeout_ms": 10_000, "from": "server"}


class Peer:
    def __init__(self) -> None:
        self.log: list[tuple[float, str]] = []

    def note(self, what: str) -> None:
        self.log.append((round(asyncio.get_running_loop().time(), 3), what))


def watch(peer: Peer) -> Silence:
    silence = Silence(lambda: peer.note("ping"), lambda: peer.note("dead"))
    silence.start(HEARTBEAT)
    return silence


def test_two_unanswered_pings_end_the_line() -> None:
    async def story() -> None:
        peer = Peer()
        watch(peer)
        await asyncio.sleep(1000)
        assert peer.log == [(35, "ping"), (45, "ping"), (55, "dead")]

    run(story())


def test_anything_heard_is_life() -> None:
    async def story() -> None:
        peer = Peer()
        silence = watch(peer)
        for _ in range(20):
            await asyncio.sleep(30)
            silence.heard()
        assert peer.log == []
        await asyncio.sleep(36)
        silence.heard()
        await asyncio.sleep(30)
        assert [what for _, what in peer.log] == ["ping"]

    run(story())


def test_a_stopped_watch_is_silent() -> None:
    async def story() -> None:
        peer = Peer()
        watch(peer).stop()
        await asyncio.sleep(1000)
        assert peer.log == []

    run(story())
