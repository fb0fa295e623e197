from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.store import keys
from hivewire.store.memory import Memory
from hivewire.store.rocks import Rocks
from hivewire.store.verify import Report, verify
from tests.unit.core.driver import Driver
from tests.unit.store.verify.life import lived

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_what_was_written_is_right() -> None:
    driver = lived()
    report = verify(driver.store)
    assert report.ok, report.problems
    assert report.counts == {
        name: len(rows) for name, rows in driver.rows().items() if rows and name != "meta"
    }


def test_a_disk_is_proved_as_memory_is(tmp_path: Path) -> None:
    driver, store = lived(), Rocks.open(tmp_path)
    batch = store.batch()
    for name, rows in driver.rows().items():
        for key, value in rows.items():
            batch.put(key, value, getattr(store.columns, name))
    store.write(batch)
    report = verify(store)
    assert report.ok, report.problems
    assert report.counts == verify(driver.store).counts
    store.close()


def test_an_empty_store_is_right() -> None:
    assert verify(Memory()).ok


@pytest.mark.parametrize("deleted", [False, True])
def test_a_trimmed_timeline_is_right(deleted: bool) -> None:
    """A crash may leave rows below a floor that is durable."""
    for floor in range(2, 19):
        driver = lived()
        columns, batch, prefix = driver.store.columns, driver.store.batch(), keys.prefix("bob")
        channels = driver.view.user("bob").channels
        assert driver.view.user("bob").durable >= floor
        batch.put(prefix, keys.user_value(floor, channels), columns.marks)
        if deleted:
            batch.delete_range(prefix, prefix + keys.position(floor), columns.timeline)
        driver.store.write(batch)
        report = verify(driver.store)
        assert report.ok, (floor, report.problems)


UNREADABLE = [
    ("timeline", keys.prefix("ann") + keys.position(1)),
    ("messages", keys.prefix("group:g") + keys.position(1)),
    ("conversations", keys.prefix("group:g")),
    ("conversations", keys.prefix("group:g") + keys.position(3)),
    ("members", keys.prefix("ann") + b"group:g"),
    ("members", keys.prefix("group:g") + b"bob"),
    ("members", keys.prefix("ann") + b"block:eve"),
    ("marks", keys.prefix("ann")),
    ("marks", keys.prefix("ann") + b"seen"),
    ("marks", keys.prefix("group:g") + b"ann"),
    ("cursors", keys.prefix("bob") + b"phone"),
    ("keys", keys.prefix("ann") + b"key-00000001"),
]


@pytest.mark.parametrize(("column", "key"), UNREADABLE)
def test_a_row_that_cannot_be_read_is_a_problem(column: str, key: bytes) -> None:
    driver = lived()
    getattr(driver.store.columns, column).put(key, b"\x09")
    report = verify(driver.store)
    assert "row" in {problem.rule for problem in report.problems}


CHANGED_NOTHING = keys.prefix("ann") + b"key-00000013"
"""A key under which nothing was changed: no event tells of it."""
EVERY_ROW = [
    (name, key)
    for name, rows in lived().rows().items()
    for key in rows
    if name not in ("cursors", "meta")
]


@given(st.sampled_from(EVERY_ROW))
def test_no_row_can_get_lost_unnoticed(row: tuple[str, bytes]) -> None:
    column, key = row
    driver = lived()
    value = driver.rows()[column][key]
    getattr(driver.store.columns, column).delete_range(key, key + b"\0")
    # A mark that is lost never moved, a block is a user's own affair, a default says nothing.
    is_mark = column == "marks" and b":" in key
    harmless = is_mark or b"block:" in key or value == keys.user_value(1, 0)
    harmless = harmless or key == CHANGED_NOTHING
    assert verify(driver.store).ok == harmless


steps = st.tuples(
    st.sampled_from(["send", "edit", "recall", "react", "add", "remove", "leave", "own", "rename"]),
    st.sampled_from("abcdefgh"),
    st.sampled_from("abcdefgh"),
    st.integers(1, 12),
)


def act(driver: Driver, conv: str, what: str, who: str, other: str, n: int) -> None:
    do: dict[str, Callable[[], object]] = {
        "send": lambda: driver.send(who, conv),
        "edit": lambda: driver.edit(who, conv, n, other),
        "recall": lambda: driver.recall(who, conv, n),
        "react": lambda: driver.react(who, conv, n, other, on=n % 2 == 0),
        "add": lambda: driver.add(who, conv, other),
        "remove": lambda: driver.remove(who, conv, other),
        "leave": lambda: driver.leave(who, conv),
        "own": lambda: driver.update(who, conv, user=other, role="owner"),
        "rename": lambda: driver.update(who, conv, name=other),
    }
    do[what]()


@given(st.sampled_from(["group", "channel"]), st.lists(steps, max_size=40), st.sets(st.integers(0)))
def test_whatever_was_done_leaves_a_store_that_is_right(
    kind: str, todo: list[tuple[str, str, str, int]], commits: set[int]
) -> None:
    driver, conv = Driver(cache_users=2), f"{kind}:g"
    driver.create("a", "b", "c", kind=kind)
    for number, step in enumerate(todo):
        act(driver, conv, *step)
        if number in commits:
            driver.settle()
    driver.settle()
    report: Report = verify(driver.store)
    assert report.ok, report.problems
