"""How far each device has acknowledged its timeline: rows, and what is newer than the rows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hivewire.core.entries import DeviceEntry
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.core.entries import CursorEntry
    from hivewire.store import Put, Store


class Cursors:
    """Gathers cursor moves, so that a busy device writes one row in a while and not one an ack.

    Holds at most one moved cursor a device, and nothing of a device that rests.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._moved: dict[tuple[str, str], CursorEntry] = {}
        """Newer than any row: to be written."""
        self._writing: dict[tuple[str, str], CursorEntry | DeviceEntry] = {}
        """In a group that is not durable yet."""

    @property
    def dirty(self) -> bool:
        """Whether something waits for `flush`."""
        return bool(self._moved)

    def load(self, user: str, device: str) -> int | None:
        """Where a device is; None if it was never seen."""
        device_key = (user, device)
        entry = self._moved.get(device_key) or self._writing.get(device_key)
        if entry is not None:
            return entry.cursor
        row = self._store.get(self._store.columns.cursors, cursor_key(user, device))
        return None if row is None else keys.parse_cursor_value(row).cursor

    def note(self, entry: CursorEntry) -> None:
        """Move a cursor that `plan_ack` found to move; it is written by the next `flush`.

        While a newer connection of the device waits for its `connected`, an ack can only be the
        older one's, and no longer counts.
        """
        device_key = (entry.user, entry.device)
        if type(self._writing.get(device_key)) is not DeviceEntry:
            self._moved[device_key] = entry

    def set(self, entry: DeviceEntry, put: Put) -> None:
        """Put the cursor that a connect decided; what was gathered for the device is void."""
        device_key = (entry.user, entry.device)
        self._moved.pop(device_key, None)
        self._write(device_key, entry, put)

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

    def release(self, entries: Iterable[CursorEntry | DeviceEntry]) -> None:
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
        row = cursor_key(*device_key)
        put(row, keys.cursor_value(entry.cursor, entry.ts), self._store.columns.cursors)


def cursor_key(user: str, device: str) -> bytes:
    """The key of a device's row in `cursors`."""
    return keys.prefix(user) + device.encode()
