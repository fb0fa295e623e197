from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core import events, history
from hivewire.core.history import LOOKED_AT, Excerpt, Log
from hivewire.core.limits import (
    EMOJIS_A_MESSAGE,
    LISTED_REACTIONS,
    LISTED_REACTIONS_IN_ALL,
    LISTING_BYTES,
)
from hivewire.store import StoreCorrupt, keys

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


def event(driver: Driver, n: int, conv: str = CONV) -> dict[str, Any]:
    (item,) = history.events_at(driver.store, keys.prefix(conv), n, n)
    return events.decode(item)


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


def test_a_missing_row_is_an_error_and_not_a_hole() -> None:
    driver = talk(3)
    key = keys.prefix(CONV) + keys.position(2)
    driver.store.columns.messages.delete_range(key, key + b"\0")
    with pytest.raises(StoreCorrupt):
        history.before(driver.store, log(driver), None, 10)


class TestState:
    def test_an_edited_message_says_what_it_says_now(self) -> None:
        driver = talk(1)
        driver.edit("ann", CONV, 1, "first")
        driver.edit("ann", CONV, 1, "second")
        driver.settle()
        found = event(driver, 1)
        assert (found["text"], found["edited"]) == ("second", driver.now)
        assert [event(driver, n)["text"] for n in (2, 3)] == ["first", "second"]

    def test_a_message_without_a_text_may_be_given_one(self) -> None:
        driver = Driver()
        driver.send("ann", "user:bob", None, data={"a": 1})  # type: ignore[arg-type]
        driver.edit("ann", CONV, 1, "said")
        driver.settle()
        assert (event(driver, 1)["data"], event(driver, 1)["text"]) == ({"a": 1}, "said")

    def test_reactions_are_listed_by_emoji_in_byte_order_of_their_users(self) -> None:
        driver = talk(1)
        for user, emoji in (("bob", "x"), ("ann", "xy"), ("ann", "x")):
            driver.react(user, CONV, 1, emoji)
        driver.settle()
        assert event(driver, 1)["reactions"] == {"x": ["ann", "bob"], "xy": ["ann"]}
        assert event(driver, 1)["reaction_counts"] == {"x": 2, "xy": 1}

    def test_I8_a_hundred_users_are_listed_and_all_are_counted(self) -> None:
        driver = Driver()
        names = [f"u{number:03}" for number in range(LISTED_REACTIONS + 20)]
        driver.create("ann", *names, kind="channel")
        driver.send("ann", "channel:g")
        for name in names:
            driver.react(name, "channel:g", 3, "x")
        driver.settle()
        found = event(driver, 3, "channel:g")
        assert found["reactions"] == {"x": names[:LISTED_REACTIONS]}
        assert found["reaction_counts"] == {"x": LISTED_REACTIONS + 20}

    def test_I8_of_many_emojis_each_lists_fewer_users(self) -> None:
        driver = talk(1)
        for number in range(EMOJIS_A_MESSAGE):
            driver.react("ann", CONV, 1, f"e{number}")
            driver.settle()
        prefix, batch = keys.prefix(CONV), driver.store.batch()
        for number in range(EMOJIS_A_MESSAGE):
            for user in range(LISTED_REACTIONS):
                row = keys.reaction_key(prefix, 1, f"e{number}", f"u{user}")
                batch.put(row, keys.REACTION_VALUE, driver.store.columns.conversations)
        driver.store.write(batch)
        listed = sum(map(len, event(driver, 1)["reactions"].values()))
        assert EMOJIS_A_MESSAGE <= listed <= LISTED_REACTIONS_IN_ALL

    def test_a_recalled_message_has_no_reactions_and_no_text(self) -> None:
        driver = talk(1)
        driver.react("bob", CONV, 1, "x")
        driver.edit("ann", CONV, 1, "ho")
        driver.recall("ann", CONV, 1)
        driver.settle()
        assert event(driver, 1).keys() == {"type", "recalled", "conv", "n", "from", "key", "ts"}

    def test_nothing_happened_and_nothing_is_added(self) -> None:
        driver = talk(1)
        driver.react("bob", CONV, 1, "x")
        driver.react("bob", CONV, 1, "x", on=False)
        driver.settle()
        assert event(driver, 1).keys() == {"type", "conv", "n", "from", "key", "ts", "text"}


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
            size = len(history.events_at(TALK.store, keys.prefix(CONV), more, more)[0]) + 1
            assert sum(map(len, found)) + len(found) + size > max_bytes

    def test_I8_it_looks_no_further_than_so_far(self) -> None:
        driver = talk(1)
        for number in range(LOOKED_AT + 20):
            driver.react("bob", CONV, 1, "x", on=number % 2 == 0)
            if number % 100 == 0:
                driver.settle()
        driver.settle()
        assert history.last_messages(driver.store, log(driver), 5, 100_000) == []
