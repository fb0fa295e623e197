"""When users were last there: written when they go offline, read for who wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivewire.core.entries import PresenceEntry
    from hivewire.store import Put, Store

CURSORS_READ = 64
"""Devices of one user that are looked at for his last sign of life."""


def apply_seen(entry: PresenceEntry, store: Store, put: Put) -> None:
    """Put the row of one who is there no more."""
    value = keys.seen_value(entry.last_seen, hidden=entry.hidden)
    put(keys.seen_key(entry.user), value, store.columns.marks)


def load_seen(store: Store, users: Sequence[str]) -> list[int | None]:
    """When each user, connected or not, was last there, as stored: ms since the epoch or None.

    Where the node was killed, its users have no row of the last time that they were there. Then
    the newest cursor of a device is a sign of life that may be newer than the row, unless the user
    was hiding.
    """
    rows = store.multi_get(store.columns.marks, [keys.seen_key(user) for user in users])
    return [_load_one(store, user, row) for user, row in zip(users, rows, strict=True)]


def _load_one(store: Store, user: str, value: bytes | None) -> int | None:
    row = keys.SeenRow(0, hidden=False) if value is None else keys.parse_seen_value(value)
    if row.hidden:
        return row.last_seen or None
    prefix = keys.prefix(user)
    column = store.columns.cursors
    cursors = store.scan(column, prefix, keys.range_end(prefix), CURSORS_READ)
    signs = [keys.parse_cursor_value(cursor).ts for _, cursor in cursors]
    return max(row.last_seen, *signs, 0) or None
