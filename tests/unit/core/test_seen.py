"""When users were last there: the row, and what counts where there is none."""

from __future__ import annotations

import pytest

from hivewire.core.cursors import cursor_key
from hivewire.core.entries import PresenceEntry
from hivewire.core.seen import apply_seen, load_seen
from hivewire.store import keys
from hivewire.store.memory import Memory

pytestmark = pytest.mark.unit

TS = 1_700_000_000_000


def stored(*entries: PresenceEntry) -> Memory:
    store = Memory()
    batch = store.batch()
    for entry in entries:
        apply_seen(entry, store, batch.put)
    store.write(batch)
    return store


def with_cursor(store: Memory, user: str, device: str, ts: int) -> None:
    batch = store.batch()
    batch.put(cursor_key(user, device), keys.cursor_value(0, ts), store.columns.cursors)
    store.write(batch)


def test_the_newest_entry_counts_and_a_user_without_one_is_unknown() -> None:
    store = stored(PresenceEntry("ann", 5), PresenceEntry("bob", 7), PresenceEntry("ann", 9))
    assert load_seen(store, ["bob", "eve", "ann"]) == [7, None, 9]
    assert load_seen(store, []) == []


def test_a_newer_cursor_is_a_sign_of_life() -> None:
    store = stored(PresenceEntry("ann", 5))
    for user, device, ts in (("ann", "phone", 8), ("ann", "tv", 6), ("bob", "phone", 3)):
        with_cursor(store, user, device, ts)
    with_cursor(store, "ann2", "phone", 99)
    assert load_seen(store, ["ann", "bob"]) == [8, 3]


def test_an_older_one_is_none() -> None:
    store = stored(PresenceEntry("ann", 5))
    with_cursor(store, "ann", "phone", 4)
    assert load_seen(store, ["ann"]) == [5]


def test_of_who_hid_nothing_newer_is_told() -> None:
    store = stored(PresenceEntry("ann", 5, hidden=True), PresenceEntry("bob", 0, hidden=True))
    for user in ("ann", "bob"):
        with_cursor(store, user, "phone", 8)
    assert load_seen(store, ["ann", "bob"]) == [5, None]


@pytest.mark.parametrize("value", [b"", b"\x02" + bytes(9), b"\x01" + bytes(8)])
def test_a_row_of_another_version_or_shape_is_an_error(value: bytes) -> None:
    with pytest.raises(keys.RowError):
        keys.parse_seen_value(value)
