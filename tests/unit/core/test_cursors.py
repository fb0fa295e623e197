from __future__ import annotations

from hivewire.core.cursors import Cursors
from hivewire.core.entries import CursorEntry, DeviceEntry
from hivewire.store.memory import Memory


def test_a_busy_device_writes_one_row() -> None:
    store = Memory()
    cursors, batch = Cursors(store), store.batch()
    for seq in (1, 2, 3):
        cursors.note(CursorEntry("ann", "phone", seq, 7, 0))
    entries = cursors.flush(batch.put)
    assert ([entry.cursor for entry in entries], len(batch), cursors.dirty) == ([3], 1, False)


def test_load_sees_what_is_gathered_in_flight_and_stored() -> None:
    store = Memory()
    cursors = Cursors(store)
    assert cursors.load("ann", "phone") is None
    cursors.note(CursorEntry("ann", "phone", 1, 7, 0))
    assert cursors.load("ann", "phone") == 1
    batch = store.batch()
    entries = cursors.flush(batch.put)
    assert cursors.load("ann", "phone") == 1
    store.write(batch)
    store.sync()
    cursors.release(entries)
    assert (cursors.load("ann", "phone"), cursors.load("ann", "tablet")) == (1, None)


def test_I8_a_flush_may_be_bounded_and_leaves_the_rest_dirty() -> None:
    store = Memory()
    cursors, batch = Cursors(store), store.batch()
    for number in range(5):
        cursors.note(CursorEntry(f"u{number}", "phone", 1, 7, 0))
    sizes: list[int] = []
    while cursors.dirty:
        sizes.append(len(cursors.flush(batch.put, limit=2)))
    assert (sizes, len(batch)) == ([2, 2, 1], 5)


def test_I8_a_device_at_rest_holds_nothing() -> None:
    store = Memory()
    cursors, batch = Cursors(store), store.batch()
    device = DeviceEntry("ann", "phone", 3, 7, 0)
    cursors.set(device, batch.put)
    cursors.release([device])
    cursors.note(CursorEntry("ann", "phone", 4, 7, 0))
    cursors.release(cursors.flush(batch.put))
    assert (cursors._moved, cursors._writing) == ({}, {})


def test_I6_an_older_connections_ack_does_not_count_against_a_newer_connect() -> None:
    store = Memory()
    cursors, batch = Cursors(store), store.batch()
    cursors.note(CursorEntry("ann", "phone", 9, 7, 0))
    device = DeviceEntry("ann", "phone", 2, 8, 0)
    cursors.set(device, batch.put)
    cursors.note(CursorEntry("ann", "phone", 9, 9, 0))
    assert (cursors.load("ann", "phone"), cursors.dirty) == (2, False)
    cursors.release([device])
    cursors.note(CursorEntry("ann", "phone", 9, 10, 0))
    assert cursors.dirty


def test_releasing_an_older_write_keeps_the_newer_one_pending() -> None:
    store = Memory()
    cursors = Cursors(store)
    cursors.note(CursorEntry("ann", "phone", 1, 7, 0))
    first = cursors.flush(store.batch().put)
    cursors.note(CursorEntry("ann", "phone", 2, 8, 0))
    cursors.flush(store.batch().put)
    cursors.release(first)
    assert cursors.load("ann", "phone") == 2
