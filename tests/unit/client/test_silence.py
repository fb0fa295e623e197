"""Who pings when, and when the line is given up (protocol section 8)."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from hivewire.client.adaptive import Adaptive
from hivewire.client.silence import Silence
from tests.unit.client.virtual import run

pytestmark = pytest.mark.unit

HEARTBEAT = {"interval_ms": 25_000, "timeout_ms": 10_000, "from": "server"}
DRIVEN = HEARTBEAT | {"from": "client"}


class Peer:
    """The other end of the line; it writes down what it saw, and when."""

    def __init__(self, pace: Adaptive | None = None, *, answers: bool = False) -> None:
        self.log: list[tuple[float, str]] = []
        self.silence = Silence(self.on_ping, lambda: self.note("dead"), pace)
        self.answers = answers
        self.silence.start(DRIVEN if pace else HEARTBEAT)

    def note(self, what: str) -> None:
        self.log.append((round(asyncio.get_running_loop().time(), 3), what))

    def on_ping(self) -> None:
        self.note("ping")
        self.silence.sent(question=True)
        if self.answers:
            self.silence.heard()

    def seen(self) -> list[str]:
        return [what for _, what in self.log]


def test_two_unanswered_pings_end_the_line() -> None:
    async def story() -> None:
        peer = Peer()
        await asyncio.sleep(1000)
        assert peer.log == [(35, "ping"), (45, "ping"), (55, "dead")]

    run(story())


def test_anything_heard_is_life() -> None:
    async def story() -> None:
        peer = Peer()
        for _ in range(20):
            await asyncio.sleep(30)
            peer.silence.heard()
        assert peer.log == []
        await asyncio.sleep(36)
        peer.silence.heard()
        await asyncio.sleep(30)
        assert peer.seen() == ["ping"]

    run(story())


def test_a_stopped_watch_is_silent() -> None:
    async def story() -> None:
        peer = Peer()
        peer.silence.stop()
        peer.silence.sent(question=True)
        await asyncio.sleep(1000)
        assert peer.log == []

    run(story())


def test_a_command_that_nothing_follows_is_asked_after_by_two_pings() -> None:
    async def story() -> None:
        peer = Peer()
        await asyncio.sleep(5)
        peer.silence.sent(question=True)
        peer.silence.sent(question=True)
        await asyncio.sleep(1000)
        assert peer.log == [(15, "ping"), (25, "ping"), (35, "dead")]

    run(story())


def test_a_command_that_something_follows_is_forgotten() -> None:
    async def story() -> None:
        peer = Peer()
        peer.silence.sent(question=True)
        await asyncio.sleep(9)
        peer.silence.heard()
        await asyncio.sleep(34)
        assert peer.log == []

    run(story())


def test_what_needs_no_answer_is_no_question() -> None:
    async def story() -> None:
        peer = Peer()
        peer.silence.sent(question=False)
        await asyncio.sleep(34)
        assert peer.log == []

    run(story())


def test_a_client_that_drives_pings_when_nothing_went_out_for_its_interval() -> None:
    async def story() -> None:
        peer = Peer(Adaptive(), answers=True)
        await asyncio.sleep(100)
        first, second, third = (when for when, _ in peer.log[:3])
        assert 12.5 <= first <= 25
        assert (second - first, third - second) == (pytest.approx(25), pytest.approx(25))
        peer.log.clear()
        for _ in range(10):
            peer.silence.sent(question=False)
            peer.silence.heard()
            await asyncio.sleep(20)
        assert peer.log == [], "a busy line carries no pings"

    run(story())


def test_a_client_that_drives_and_hears_nothing_asks_though_it_keeps_sending() -> None:
    async def story() -> None:
        peer = Peer(Adaptive())
        for _ in range(20):
            peer.silence.sent(question=False)
            await asyncio.sleep(5)
        assert peer.log == [(35, "ping"), (45, "ping"), (55, "dead")]

    run(story())


def test_what_was_learnt_is_wished_for_until_it_is_told() -> None:
    async def story() -> None:
        pace = Adaptive()
        silence = Silence(lambda: None, lambda: None, pace)
        assert silence.wish() == {"interval_ms": 25_000, "from": "client"}
        assert not silence.wishes_change
        silence.start(DRIVEN)
        for _ in range(3):
            await asyncio.sleep(25)
            silence.sent(question=True)
            silence.heard()
        assert silence.wishes_change
        assert silence.wish() == {"interval_ms": 37_500, "from": "client"}
        assert not silence.wishes_change
        assert pace.interval == 25
        silence.regrant(DRIVEN | {"interval_ms": 37_500})
        assert pace.interval == 37.5
        silence.stop()

    run(story())


def test_the_time_between_two_lines_is_no_silence_of_a_line() -> None:
    async def story() -> None:
        pace = Adaptive()
        peer = Peer(pace)
        peer.silence.stop(lost=True)
        await asyncio.sleep(200)
        peer.silence.sent(question=True)
        peer.silence.heard()
        peer.silence.start(DRIVEN)
        assert pace.memory()[""].get("good") is None
        peer.silence.stop()

    run(story())


def test_an_application_may_want_a_heartbeat_that_learns_nothing() -> None:
    async def story() -> None:
        peer = Peer(Adaptive(), answers=True)
        assert Silence(lambda: None, lambda: None).wish() is None
        peer.silence.follow(60_000, "server")
        assert peer.silence.wish() == {"interval_ms": 60_000, "from": "server"}
        assert peer.silence.pace is None
        peer.silence.follow(60_000, "client")
        assert not peer.silence.wishes_change
        peer.silence.sent(question=True)
        peer.silence.regrant(DRIVEN | {"interval_ms": 60_000})
        await asyncio.sleep(600)
        times = [when for when, _ in peer.log]
        assert {later - earlier for earlier, later in itertools.pairwise(times)} == {60}

    run(story())
