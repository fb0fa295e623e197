"""What is older than the retention, found a few rows at a time: timelines and devices.

A timeline is trimmed in two groups of the journal: first its floor, and when that is durable what
is below it, as one range. A crash between the two leaves rows that nobody reads and that the next
pass deletes. Messages stay: only the references go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from hivewire.core.entries import ForgetEntry, TrimEntry
from hivewire.core.gathered import message_keys
from hivewire.store import keys
from hivewire.store.timelines import end_of, key_of_row, references

if TYPE_CHECKING:
    from hivewire.core.view import View
    from hivewire.store import Batch, Store

TIMELINES_A_STEP = 16
"""Timelines in one step: 10 µs each, 60 where something is to be trimmed."""
DEVICES_A_STEP = 256
"""Devices in one step: 1 µs each."""


class OldTimelines(NamedTuple):
    """What one step over timelines found."""

    trims: list[TrimEntry]
    """Floors to be moved."""
    left: list[TrimEntry]
    """Floors that are durable, below which a crash has left rows."""
    following: bytes | None
    """Where the next step begins; None at the end."""


class OldDevices(NamedTuple):
    """What one step over devices found."""

    silent: list[ForgetEntry]
    """Not written of for the retention."""
    following: bytes | None


class _Ts(Struct, gc=False):
    ts: int


_ts = msgspec.json.Decoder(_Ts).decode


def find_old_timelines(view: View, start: bytes, before_ms: int) -> OldTimelines:
    """Look at the first timelines from the key `start` on for events from before `before_ms`."""
    store = view.store
    trims: list[TrimEntry] = []
    left: list[TrimEntry] = []
    for _ in range(TIMELINES_A_STEP):
        rows = store.scan(store.columns.timeline, start, None, 1)
        if not rows:
            return OldTimelines(trims, left, None)
        key, value = rows[0]
        user, oldest = keys.split_position(key)
        start = keys.range_end(keys.prefix(user))
        if _oldest_ts(store, user, oldest, value) < before_ms:
            state = view.user(user)
            if end_of(rows[0]) < state.floor:
                left.append(TrimEntry(user, state.floor))
            floor = _first_since(view, user, before_ms)
            if floor > state.planned_floor:
                trims.append(TrimEntry(user, floor))
    return OldTimelines(trims, left, start)


def find_old_devices(store: Store, start: bytes, before_ms: int) -> OldDevices:
    """Look at the first devices from the key `start` on for those not written of since then."""
    rows = store.scan(store.columns.cursors, start, None, DEVICES_A_STEP)
    silent: list[ForgetEntry] = []
    for key, value in rows:
        if keys.parse_cursor_value(value).ts < before_ms:
            user, device = keys.split(key)
            silent.append(ForgetEntry(user, device.decode()))
    more = len(rows) == DEVICES_A_STEP
    return OldDevices(silent, rows[-1][0] + b"\0" if more else None)


def drop_below(entry: TrimEntry, store: Store, batch: Batch) -> None:
    """Put the deletion of all rows below that of a floor into a batch, as one range."""
    prefix = keys.prefix(entry.user)
    behind = key_of_row(store, prefix, entry.floor)
    batch.delete_range(prefix + keys.position(0), behind, store.columns.timeline)


def _first_since(view: View, user: str, before_ms: int) -> int:
    """The first `seq` of an event that is not from before `before_ms`; behind the head if none.

    Only what is durable counts. Where the clock was set back, an event may stay for longer.
    """
    state, store = view.user(user), view.store
    low, high = state.planned_floor, state.durable + 1
    while low < high:
        middle = (low + high) // 2
        (key,) = message_keys(store, state, middle, middle + 1)
        if key is not None and _ts_of(store, key) < before_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _oldest_ts(store: Store, user: str, first: int, value: bytes) -> int:
    """When the oldest event was that counts in the first row of a timeline; 0 if none does."""
    row = store.get(store.columns.marks, keys.prefix(user))
    floor = 1 if row is None else keys.parse_user_value(row).floor
    held = references(value)
    at = max(floor - first, 0)
    return _ts_of(store, held[at].message_key) if at < len(held) else 0


def _ts_of(store: Store, message_key: bytes) -> int:
    """When an event was that a timeline refers to."""
    body = store.get(store.columns.messages, message_key)
    return 0 if body is None else _ts(keys.message_body(body)).ts
