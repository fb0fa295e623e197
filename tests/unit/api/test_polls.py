"""Long polls: woken by events, bounded, ended by a newer one and at the end of the node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hivewire.api.errors import ApiError
from hivewire.api.polls import Poll, Polls
from hivewire.gateway import OPS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.unit


def run(tell: Callable[[], Awaitable[None]]) -> None:
    async def story() -> None:
        await tell()

    asyncio.run(story())


def soon() -> float:
    return asyncio.get_running_loop().time() + 30


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    "op",
    [
        (OPS.event, "ann", 1, b"{}", None, 0, None),
        (OPS.events, (("bob", 1), ("ann", 2)), b"{}", None, 0, None),
        (OPS.publish, "open:channel:c", b"{}", None, True),
    ],
)
def test_an_event_wakes_who_waits_for_it(op: tuple[object, ...]) -> None:
    async def tell() -> None:
        polls = Polls(OPS, 10, 10)
        with polls.poll("ann", "events", "open:channel:c") as ann, polls.poll("eve", 1) as eve:
            polls.heard([op])
            assert await ann.wait(soon())
            assert not await eve.wait(now())

    run(tell)


def test_what_happens_between_look_and_wait_is_not_missed() -> None:
    async def tell() -> None:
        polls = Polls(OPS, 10, 10)
        with polls.poll("ann", "events") as poll:
            for _ in range(2):
                poll.arm()
                polls.heard([(OPS.event, "ann", 1, b"{}", None, 0, None)])
                assert await poll.wait(soon())
            poll.arm()
            assert not await poll.wait(now())

    run(tell)


def test_a_newer_poll_for_the_same_ends_the_older_one() -> None:
    async def tell() -> None:
        polls = Polls(OPS, 10, 10)
        with polls.poll("ann", "http") as older, polls.poll("ann", "http") as newer:
            assert not await older.wait(soon())
            assert not newer._ended
            # The newer one has gone: the older one's end must not take anything of another with it.
        assert (polls._by_name, polls._by_user, polls.open) == ({}, {}, 0)

    run(tell)


def test_one_too_many_of_a_user_ends_his_oldest() -> None:
    async def tell() -> None:
        polls = Polls(OPS, 10, 2)
        with polls.poll("ann", 1) as first, polls.poll("ann", 2) as second, polls.poll("ann", 3):
            assert (first._ended, second._ended) == (True, False)

    run(tell)


def test_I8_one_too_many_in_all_is_told_to_come_back() -> None:
    async def tell() -> None:
        polls = Polls(OPS, 1, 10)
        with polls.poll("ann", 1), pytest.raises(ApiError) as caught, polls.poll("bob", 1):
            pass
        assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
        assert polls._by_user == {}

    run(tell)


def test_of_one_user_nobody_waits_any_more() -> None:
    async def tell() -> None:
        polls = Polls(OPS, 10, 10)
        with polls.poll("ann", 1) as one, polls.poll("ann", 2) as two, polls.poll("bob", 1) as bob:
            polls.end_of("ann")
            polls.end_of("nobody")
            assert not await one.wait(soon())
            assert not await two.wait(soon())
            bob.ring()
            assert await bob.wait(soon())

    run(tell)


def test_nobody_waits_when_the_node_goes_down() -> None:
    async def tell() -> None:
        polls = Polls(OPS, 10, 10)
        with polls.poll("ann", 1) as before:
            polls.end()
            assert not await before.wait(soon())
            with polls.poll("bob", 1) as after:
                assert not await after.wait(soon())

    run(tell)


def test_a_poll_waits_no_longer_than_it_may() -> None:
    async def tell() -> None:
        assert not await Poll().wait(now() + 0.01)

    run(tell)
