"""How far each device has acknowledged its timeline: rows, and what is newer than the rows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hivewire.core.entries import CursorEntry, DeviceEntry, ForgetEntry
from hivewire.core.remembered import REMEMBERED_ROWS, Remembered
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hivewire.store import Batch, Put, Store


class Cursors:
    """Gathers cursor moves, so that a busy device writes one row in a while and not one an ack.

    Holds at most one moved cursor a device; what is remembered of others can be dropped.

    Args:
        store: Where the rows are.
        remembered: Rows that may be remembered.
        prefix_of: What the keys of a user begin with, of one whose timeline was looked at.
    """

    def __init__(
        self,
        store: Store,
        remembered: int = REMEMBERED_ROWS,
        prefix_of: Callable[[str], bytes] = keys.prefix,
    ) -> None:
        self._store = store
        self._prefix_of = prefix_of
        self._moved: dict[tuple[str, str], CursorEntry] = {}
        """Newer than any row: to be written."""
        self._writing: dict[tuple[str, str], CursorEntry | DeviceEntry | ForgetEntry] = {}
        """In a group that is not durable yet."""
        self._rows: Remembered[tuple[str, str], CursorEntry | DeviceEntry] = Remembered(remembered)
        """What was written a moment ago."""

    @property
    def dirty(self) -> bool:
        """Whether something waits for `flush`."""
        return bool(self._moved)

    def load(self, user: str, device: str) -> int | None:
        """Where a device is; None if it was never seen, or is forgotten."""
        entry = self._known((user, device))
        if type(entry) is CursorEntry:
            return entry.cursor
        row = self.load_row(user, device)
        return None if row is None else row.cursor

    def load_row(self, user: str, device: str) -> keys.CursorRow | None:
        """The same, and when the device was last heard of."""
        entry = self._known((user, device))
        if isinstance(entry, ForgetEntry):
            return None
        if entry is not None:
            return keys.CursorRow(entry.cursor, entry.ts)
        row = self._store.get(self._store.columns.cursors, cursor_key(user, device))
        return None if row is None else keys.parse_cursor_value(row)

    def _known(self, device_key: tuple[str, str]) -> CursorEntry | DeviceEntry | ForgetEntry | None:
        """The newest that memory has of a device."""
        return (
            self._moved.get(device_key)
            or self._writing.get(device_key)
            or self._rows.get(device_key)
        )

    def gathered(self, user: str, device: str) -> CursorEntry | None:
        """The move of a device that no group holds yet: a kill would lose it."""
        return self._moved.get((user, device))

    def note(self, entry: CursorEntry) -> None:
        """Move a cursor that `plan_ack` found to move; it is written by the next `flush`.

        While a newer connection of the device waits for its `connected`, an ack can only be the
        older one's, and no longer counts.
        """
        device_key = (entry.user, entry.device)
        if type(self._writing.get(device_key)) is not DeviceEntry:
            before = self._moved.get(device_key)
            if before is not None:
                entry.since = before.since
            self._moved[device_key] = entry

    def set(self, entry: DeviceEntry, put: Put) -> None:
        """Put the cursor that a connect decided; what was gathered for the device is void."""
        device_key = (entry.user, entry.device)
        self._moved.pop(device_key, None)
        self._write(device_key, entry, put)

    def is_resting(self, user: str, device: str) -> bool:
        """Whether nothing of a device is on its way to the disk."""
        return (user, device) not in self._moved and (user, device) not in self._writing

    def forget(self, entry: ForgetEntry, batch: Batch) -> None:
        """Delete the row of a device that is resting; from now on it is a new one."""
        batch.delete(cursor_key(entry.user, entry.device), self._store.columns.cursors)
        self._writing[entry.user, entry.device] = entry
        self._rows.pop((entry.user, entry.device), None)

    def flush(self, put: Put, limit: int | None = None) -> list[CursorEntry]:
        """Put the rows of moved cursors, the oldest `limit` of them or all.

        They go back to `release` once they are durable. What is left is still `dirty`.
        """
        entries = list(islice(self._moved.values(), limit))
        for entry in entries:
            device_key = (entry.user, entry.device)
            del self._moved[device_key]
            self._write(device_key, entry, put)
        return entries

    def release(self, entries: Iterable[CursorEntry | DeviceEntry | ForgetEntry]) -> None:
        """These are durable now: the rows say it."""
        writing = self._writing
        for entry in entries:
            device_key = (entry.user, entry.device)
            if writing.get(device_key) is entry:
                del writing[device_key]

    def _write(
        self, device_key: tuple[str, str], entry: CursorEntry | DeviceEntry, put: Put
    ) -> None:
        self._writing[device_key] = entry
        self._rows.keep(device_key, entry)
        user, device = device_key
        row = self._prefix_of(user) + device.encode()
        put(row, keys.cursor_value(entry.cursor, entry.ts), self._store.columns.cursors)


def cursor_key(user: str, device: str) -> bytes:
    """The key of a device's row in `cursors`."""
    return keys.prefix(user) + device.encode()
