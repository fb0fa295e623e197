"""Events of a conversation as they are now."""

from __future__ import annotations

from typing import Any

import pytest

from hivewire.core import events
from hivewire.core.limits import (
    EMOJIS_A_MESSAGE,
    LISTED_REACTIONS,
    LISTED_REACTIONS_IN_ALL,
)
from hivewire.core.log import events_at
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


def event(driver: Driver, n: int, conv: str = CONV) -> dict[str, Any]:
    (item,) = events_at(driver.store, keys.prefix(conv), n, n)
    return events.decode(item)


def test_a_missing_row_is_an_error_and_not_a_hole() -> None:
    driver = talk(3)
    key = keys.prefix(CONV) + keys.position(2)
    driver.store.columns.messages.delete_range(key, key + b"\0")
    with pytest.raises(StoreCorrupt):
        events_at(driver.store, keys.prefix(CONV), 1, 3)


def test_an_edited_message_says_what_it_says_now() -> None:
    driver = talk(1)
    driver.edit("ann", CONV, 1, "first")
    driver.edit("ann", CONV, 1, "second")
    driver.settle()
    found = event(driver, 1)
    assert (found["text"], found["edited"]) == ("second", driver.now)
    assert [event(driver, n)["text"] for n in (2, 3)] == ["first", "second"]


def test_a_message_without_a_text_may_be_given_one() -> None:
    driver = Driver()
    driver.send("ann", "user:bob", None, data={"a": 1})  # type: ignore[arg-type]
    driver.edit("ann", CONV, 1, "said")
    driver.settle()
    assert (event(driver, 1)["data"], event(driver, 1)["text"]) == ({"a": 1}, "said")


def test_reactions_are_listed_by_emoji_in_byte_order_of_their_users() -> None:
    driver = talk(1)
    for user, emoji in (("bob", "x"), ("ann", "xy"), ("ann", "x")):
        driver.react(user, CONV, 1, emoji)
    driver.settle()
    assert event(driver, 1)["reactions"] == {"x": ["ann", "bob"], "xy": ["ann"]}
    assert event(driver, 1)["reaction_counts"] == {"x": 2, "xy": 1}


def test_I8_a_hundred_users_are_listed_and_all_are_counted() -> None:
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


def test_I8_of_many_emojis_each_lists_fewer_users() -> None:
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


def test_a_recalled_message_has_no_reactions_and_no_text() -> None:
    driver = talk(1)
    driver.react("bob", CONV, 1, "x")
    driver.edit("ann", CONV, 1, "ho")
    driver.recall("ann", CONV, 1)
    driver.settle()
    assert event(driver, 1).keys() == {"type", "recalled", "conv", "n", "from", "key", "ts"}


def test_nothing_happened_and_nothing_is_added() -> None:
    driver = talk(1)
    driver.react("bob", CONV, 1, "x")
    driver.react("bob", CONV, 1, "x", on=False)
    driver.settle()
    assert event(driver, 1).keys() == {"type", "conv", "n", "from", "key", "ts", "text"}
