from __future__ import annotations

import pytest

from hivewire.core.names import direct
from hivewire.core.state import load_conversation, load_user
from hivewire.store import keys

from .driver import Driver


@pytest.mark.parametrize("stored_cursor", [None, 0, 1, 3])
def test_the_head_is_found_with_and_without_a_cursor(stored_cursor: int | None) -> None:
    driver = Driver()
    for _ in range(3):
        driver.sent("ann", "user:bob")
    state = load_user(driver.store, "ann", stored_cursor)
    assert (state.durable, state.planned, state.floor) == (3, 3, 1)
    assert load_conversation(driver.store, direct("ann", "bob")).durable == 3


def test_neighbours_in_the_key_space_do_not_matter() -> None:
    driver = Driver()
    for user in ("a", "aa", "ab", "b"):
        driver.sent(user, f"user:{user}")
    driver.sent("aa", "user:aa")
    assert [load_user(driver.store, user).durable for user in ("a", "aa", "ab", "b", "c")] == [
        1,
        2,
        1,
        1,
        0,
    ]


@pytest.mark.parametrize("stored_cursor", [None, 0, 1, 2])
def test_a_trimmed_timeline_keeps_its_head(stored_cursor: int | None) -> None:
    driver = Driver()
    for _ in range(2):
        driver.sent("ann", "user:ann")
    prefix, columns = keys.prefix("ann"), driver.store.columns
    batch = driver.store.batch()
    batch.put(prefix, keys.floor_value(3), columns.marks)
    batch.delete_range(prefix, prefix + keys.position(3), columns.timeline)
    driver.store.write(batch)
    state = load_user(driver.store, "ann", stored_cursor)
    assert (state.durable, state.floor) == (2, 3)
