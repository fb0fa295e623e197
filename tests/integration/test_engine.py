"""The engine behind its binding: ops as tuples in, items as tuples out, over real sockets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.delivery import JSON
from hivewire.gateway import OPS, Engine, EngineSettings, _engine
from tests.e2e.rfc6455 import TEXT, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS, CLOSED, MISSED = _engine.COMMANDS, _engine.CLOSED, _engine.MISSED
QUIET = (60_000, 60_000, False)
BODY = b'{"n":1}'
PATIENCE = 5.0


@dataclass
class Shards:
    """An engine; the test is the Python side of it."""

    engine: Engine
    address: tuple[str, int]
    items: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    async def connects(self, user: str, device: str = "phone") -> tuple[Line, int]:
        """Open a line with a live session; returns it and the number of its connection."""
        line = await Line.open(self.address)
        line.send(TEXT, b'{"op":"connect"}')
        _, conn, *_ = await self.takes(COMMANDS)
        self.engine.submit([(OPS.connected, conn, b"{}", user, device, 0, True, 0, *QUIET)])
        assert await heard(line) == b"{}"
        return line, conn

    async def takes(self, kind: int) -> tuple[Any, ...]:
        """Take the next item, which must be of this kind."""
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.engine.fileno(), rung.set)
        try:
            async with asyncio.timeout(PATIENCE):
                while not self.items:
                    self.items += self.engine.take(1_000)[1]
                    if not self.items:
                        rung.clear()
                        await rung.wait()
        finally:
            loop.remove_reader(self.engine.fileno())
        item = self.items.pop(0)
        assert item[0] == kind
        return item


@pytest.fixture
def shards() -> Iterator[Shards]:
    """Two shards that listen, with a soft bound that a test reaches soon."""
    engine = Engine(EngineSettings("127.0.0.1:0", 2, outbox_soft=100))
    yield Shards(engine, engine.listen())
    engine.stop()


async def heard(line: Line) -> bytes:
    return (await line.frame()).payload


def event(seq: int) -> bytes:
    return b'{"op":"event","seq":%d,"n":1}' % seq


async def test_an_event_for_many_has_a_position_for_each(shards: Shards) -> None:
    ann, conn = await shards.connects("ann")
    bob, _ = await shards.connects("bob")
    members = (("bob", 90), ("ann", 5), ("nobody", 1))
    shards.engine.submit([(OPS.events, members, BODY, None, conn, b"sent")])
    assert (await heard(ann), await heard(bob)) == (b"sent", event(90))
    shards.engine.submit([(OPS.events, (("bob", 91),), BODY, None, conn, b"sent")])
    assert (await heard(ann), await heard(bob)) == (b"sent", event(91))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ((1, 2), TypeError),
        (("eve", "2"), TypeError),
        (("eve", -1), OverflowError),
        (("eve",), IndexError),
        ("eve", TypeError),
        (("\ud800", 1), UnicodeEncodeError),
    ],
)
async def test_i9_a_recipient_that_cannot_be_read_harms_no_other(
    shards: Shards, wrong: Any, error: type[Exception]
) -> None:
    ann, conn = await shards.connects("ann")
    bob, _ = await shards.connects("bob")
    members = (("ann", 1), wrong, ("bob", 2))
    with pytest.raises(error):
        shards.engine.submit([(OPS.events, members, BODY, None, conn, b"sent")])
    assert (await heard(ann), await heard(bob)) == (b"sent", event(2))


async def test_users_and_their_devices_are_known(shards: Shards) -> None:
    assert shards.engine.users() == []
    ann, conn = await shards.connects("ann")
    await shards.connects("ann", "laptop")
    await shards.connects("bob")
    assert sorted(shards.engine.users()) == ["ann", "bob"]
    assert sorted(shards.engine.devices("ann")) == ["laptop", "phone"]
    shards.engine.submit([(OPS.close, conn, 4503, "", 0)])
    await ann.expect_close(4503)
    ann.close(4503)
    assert (await shards.takes(CLOSED))[2:5] == ("ann", "phone", 4503)
    assert shards.engine.devices("ann") == ["laptop"]


async def test_a_topic_reaches_a_user_and_what_was_missed_is_told(shards: Shards) -> None:
    ann, conn = await shards.connects("ann")
    long = b"x" * 60
    publish = (OPS.publish, "news", long, None, True)
    shards.engine.submit([(OPS.subscribe_user, "ann", "news"), *[publish] * 4])
    assert await shards.takes(MISSED) == (MISSED, conn, "ann", "phone", ["news"], JSON)
    assert (await heard(ann), await heard(ann)) == (long, long)
    shards.engine.submit([(OPS.unsubscribe_user, "ann", "news"), publish])
    shards.engine.submit([(OPS.volatile, conn, b"to one"), (OPS.send, conn, b"the last")])
    assert (await heard(ann), await heard(ann)) == (b"to one", b"the last")
    assert not shards.items


async def test_what_was_submitted_is_followed_to_the_socket(shards: Shards) -> None:
    ann, conn = await shards.connects("ann")
    begun = time.monotonic_ns()
    number = shards.engine.submit([(OPS.event, "ann", 1, BODY, None, 0, None)])
    assert await heard(ann) == event(1)
    (phone,) = await passages(shards, "ann", number)
    assert (phone[:3], phone[4]) == (("phone", "event", "written"), 0)
    assert begun < phone[3] < time.monotonic_ns()

    await shards.connects("ann", "laptop")
    by_device = {passage[0]: passage for passage in await passages(shards, "ann", number)}
    assert by_device["phone"] == phone, "it does not change any more"
    assert by_device["laptop"][1:3] == ("page", "written")
    assert by_device["laptop"][3] > phone[3]

    shards.engine.submit([(OPS.syncing, conn, "ann")])
    assert ("phone", "behind", None, 0, 0) in shards.engine.passages("ann", number)
    shards.engine.submit([(OPS.page, conn, "ann", b"{}", 1, True), (OPS.close, conn, 4503, "", 0)])
    await ann.expect_close(4503)
    ann.close(4503)
    await shards.takes(CLOSED)
    gone, there = shards.engine.passages("ann", number)
    assert (gone[:2], there[:2]) == (("phone", "page"), ("laptop", "page"))
    assert gone[4] > gone[3] > phone[3]
    assert there[4] == 0
    assert shards.engine.passages("bob", number) == []


async def passages(
    shards: Shards, user: str, number: int
) -> list[tuple[str, str, str | None, int, int]]:
    """They are complete when the turn has come to its end, a moment after the client heard it."""
    async with asyncio.timeout(PATIENCE):
        while any(one[2] == "handed" for one in shards.engine.passages(user, number)):  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.001)
    return shards.engine.passages(user, number)
