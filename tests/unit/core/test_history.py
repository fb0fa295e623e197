from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hivewire.core import events, history
from hivewire.core.history import LOOKED_AT, Excerpt
from hivewire.core.limits import (
    LISTING_BYTES,
)
from hivewire.core.log import Log, events_at
from hivewire.store import keys

from .driver import Driver

CONV = "direct:ann,bob"


def talk(count: int, text: str = "hi") -> Driver:
    """Ann and bob, with so many messages."""
    driver = Driver()
    for number in range(count):
        driver.send("ann", "user:bob", f"{text} {number + 1}")
    driver.settle()
    return driver


def log(driver: Driver, first: int = 1, conv: str = CONV) -> Log:
    return Log(keys.prefix(conv), first, driver.view.existing(conv).durable)


def places(found: Excerpt | list[bytes]) -> list[int]:
    items = found.items if isinstance(found, Excerpt) else found
    return [events.decode(item)["n"] for item in items]


TALK = talk(20)
sizes = st.integers(1, 2_000)


@given(st.integers(1, 20), st.integers(1, 25), sizes)
def test_backwards_there_are_no_gaps_for_any_limit_and_size(
    first: int, limit: int, max_bytes: int
) -> None:
    seen: list[int] = []
    n: int | None = None
    while True:
        found = history.before(TALK.store, log(TALK, first), n, limit, max_bytes)
        assert 1 <= len(found.items) <= limit
        assert sum(map(len, found.items)) <= max_bytes or len(found.items) == 1
        seen = places(found) + seen
        n = seen[0]
        if found.done:
            break
    assert seen == list(range(first, 21))


@given(st.integers(1, 20), st.integers(0, 25), st.integers(1, 25), sizes)
def test_forwards_there_are_no_gaps_for_any_limit_and_size(
    first: int, n: int, limit: int, max_bytes: int
) -> None:
    seen: list[int] = []
    start = n
    while True:
        found = history.after(TALK.store, log(TALK, first), n, limit, max_bytes)
        assert len(found.items) <= limit
        seen += places(found)
        if found.done:
            break
        assert found.items
        n = seen[-1]
    assert seen == list(range(max(first, start + 1), 21))


@given(st.integers(0, 25), st.integers(1, 25))
def test_both_ways_give_the_same_events(n: int, limit: int) -> None:
    older = history.before(TALK.store, log(TALK), n, limit)
    again = history.after(TALK.store, log(TALK), min(n - 1, 20) - len(older.items), limit)
    assert again.items[: len(older.items)] == older.items


def test_without_a_place_it_is_the_newest() -> None:
    assert places(history.before(TALK.store, log(TALK), None, 3)) == [18, 19, 20]
    assert places(history.before(TALK.store, log(TALK), 2**53 - 1, 3)) == [18, 19, 20]


def test_an_empty_conversation_is_done() -> None:
    empty = Log(keys.prefix("direct:x,y"), 1, 0)
    store = Driver().store
    assert history.before(store, empty, None, 10) == Excerpt([], done=True)
    assert history.after(store, empty, 0, 10) == Excerpt([], done=True)


def test_it_ends_at_256_kib() -> None:
    driver = talk(40, "x" * 15_000)
    for found in (
        history.before(driver.store, log(driver), None, 200),
        history.after(driver.store, log(driver), 0, 200),
    ):
        assert (len(found.items), found.done) == (17, False)
        assert sum(map(len, found.items)) <= LISTING_BYTES


class TestLastMessages:
    def test_other_events_are_left_out(self) -> None:
        driver = talk(3)
        for number in range(30):
            driver.react("bob", CONV, 2, f"e{number}")
        driver.send("bob", "user:ann")
        driver.settle()
        found = history.last_messages(driver.store, log(driver), 3, 100_000)
        assert places(found) == [2, 3, 34]
        assert history.last_messages(driver.store, log(driver), 0, 100_000) == []

    @given(st.integers(1, 20), st.integers(0, 25), sizes)
    def test_they_are_the_newest_that_fit(self, first: int, count: int, max_bytes: int) -> None:
        found = history.last_messages(TALK.store, log(TALK, first), count, max_bytes)
        numbers = places(found)
        assert numbers == list(range(21 - len(numbers), 21))
        assert sum(map(len, found)) + len(found) <= max_bytes
        more = 20 - len(numbers)
        if len(numbers) < count and more >= first:
            size = len(events_at(TALK.store, keys.prefix(CONV), more, more)[0]) + 1
            assert sum(map(len, found)) + len(found) + size > max_bytes

    def test_I8_it_looks_no_further_than_so_far(self) -> None:
        driver = talk(1)
        for number in range(LOOKED_AT + 20):
            driver.react("bob", CONV, 1, "x", on=number % 2 == 0)
            if number % 100 == 0:
                driver.settle()
        driver.settle()
        assert history.last_messages(driver.store, log(driver), 5, 100_000) == []
