from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.entries import ForgetEntry, TrimEntry
from hivewire.core.retention import (
    DEVICES_A_STEP,
    drop_below,
    find_old_devices,
    find_old_timelines,
)
from hivewire.store import keys
from hivewire.store.memory import Memory
from tests.unit.core.driver import Driver

pytestmark = pytest.mark.unit


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(0, 3_000))
def test_the_floor_is_the_first_event_that_is_young_enough(gaps: list[int], age: int) -> None:
    driver = Driver()
    times: list[int] = []
    for gap in gaps:
        driver.now += gap
        times.append(driver.sent("ann", "user:ann").ts)
    before = driver.now - age
    found = find_old_timelines(driver.view, b"", before)
    old = sum(ts < before for ts in times)
    assert found.trims == ([TrimEntry("ann", old + 1)] if old else [])
    assert found.left == []
    assert found.following is None


def test_what_is_not_durable_is_never_trimmed() -> None:
    driver = Driver()
    driver.sent("ann", "user:ann")
    driver.send("ann", "user:ann")
    driver.journal.commit()
    assert find_old_timelines(driver.view, b"", driver.now + 1).trims == [TrimEntry("ann", 2)]


def test_one_range_takes_all_below_the_floor_and_nothing_of_a_neighbour() -> None:
    driver = Driver()
    for _ in range(3):
        driver.sent("ann", "user:bob")
    batch = driver.store.batch()
    drop_below(TrimEntry("ann", 3), driver.store, batch)
    driver.store.write(batch)
    rows = driver.store.scan(driver.store.columns.timeline, b"", None, 10)
    assert sorted(keys.split_position(key) for key, _ in rows) == [
        *[("ann", 3), ("bob", 1), ("bob", 2), ("bob", 3)]
    ]


def test_devices_are_looked_at_a_few_at_a_time() -> None:
    store = Memory()
    batch = store.batch()
    for number in range(DEVICES_A_STEP + 10):
        row = keys.prefix(f"u{number}") + b"phone"
        batch.put(row, keys.cursor_value(1, number), store.columns.cursors)
    store.write(batch)
    first = find_old_devices(store, b"", 50)
    assert first.following is not None
    second = find_old_devices(store, first.following, 50)
    assert second.following is None
    silent = {entry.user for entry in (*first.silent, *second.silent)}
    assert silent == {f"u{number}" for number in range(50)}
    assert ForgetEntry("u0", "phone") in (*first.silent, *second.silent)
