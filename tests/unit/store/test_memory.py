"""Both stores do the same: what is said here is checked of the one on disk too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.store import Store, StoreBroken
from hivewire.store.memory import Memory
from hivewire.store.rocks import Rocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = Memory() if request.param == "memory" else Rocks.open(tmp_path)
    yield opened
    opened.close()


def fill(store: Store, *names: bytes) -> None:
    batch = store.batch()
    for name in names:
        batch.put(name, b"=" + name, store.columns.timeline)
    store.write(batch)


def test_what_is_written_is_read_at_once(store: Store) -> None:
    fill(store, b"a", b"b")
    column = store.columns.timeline
    assert store.get(column, b"a") == b"=a"
    assert store.get(column, b"c") is None
    assert store.multi_get(column, [b"b", b"c", b"a"]) == [b"=b", None, b"=a"]
    assert store.multi_get(column, []) == []
    assert store.get(store.columns.messages, b"a") is None


def test_scans_are_in_order_and_bounded(store: Store) -> None:
    fill(store, b"b", b"a", b"d", b"c")
    column = store.columns.timeline
    assert [key for key, _ in store.scan(column, b"", None, 10)] == [b"a", b"b", b"c", b"d"]
    assert [key for key, _ in store.scan(column, b"b", b"d", 10)] == [b"b", b"c"]
    assert store.scan(column, b"b", None, 1) == [(b"b", b"=b")]


def test_the_last_row_of_a_prefix(store: Store) -> None:
    fill(store, b"p\0" + bytes(8), b"p\0" + bytes(7) + b"\x09", b"q\0" + b"\xff" * 8)
    column = store.columns.timeline
    assert store.last(column, b"p\0") == (b"p\0" + bytes(7) + b"\x09", b"=p\0" + bytes(7) + b"\x09")
    assert store.last(column, b"o\0") is None
    assert store.last(store.columns.keys, b"p\0") is None


def test_deletes_come_in_order_with_puts(store: Store) -> None:
    fill(store, b"a", b"b", b"c", b"d")
    column = store.columns.timeline
    batch = store.batch()
    batch.delete_range(b"b", b"d", column)
    batch.put(b"c", b"again", column)
    batch.delete(b"a", column)
    batch.delete(b"nothing", column)
    assert len(batch) == 4
    store.write(batch)
    assert store.scan(column, b"", None, 10) == [(b"c", b"again"), (b"d", b"=d")]


def test_a_crash_forgets_what_was_not_synced() -> None:
    store = Memory()
    fill(store, b"a")
    store.sync()
    fill(store, b"b")
    batch = store.batch()
    batch.delete(b"a", store.columns.timeline)
    store.write(batch)
    store.crash()
    assert store.scan(store.columns.timeline, b"", None, 10) == [(b"a", b"=a")]
    store.sync()
    store.crash()
    assert store.get(store.columns.timeline, b"a") == b"=a"


def test_a_failing_store_raises() -> None:
    store = Memory()
    store.failing = True
    with pytest.raises(StoreBroken):
        store.write(store.batch())
    with pytest.raises(StoreBroken):
        store.sync()
    assert store.property("background-errors") == 1


@given(st.lists(st.tuples(st.binary(max_size=3), st.booleans())))
def test_a_table_is_a_sorted_dictionary(changes: list[tuple[bytes, bool]]) -> None:
    store, expected = Memory(), dict[bytes, bytes]()
    for key, is_put in changes:
        batch = store.batch()
        if is_put:
            batch.put(key, key, store.columns.keys)
            expected[key] = key
        else:
            batch.delete(key, store.columns.keys)
            expected.pop(key, None)
        store.write(batch)
    assert store.scan(store.columns.keys, b"", None, 1000) == sorted(expected.items())
