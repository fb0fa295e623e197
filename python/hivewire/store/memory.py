"""The store in memory: what the disk would do, and after `crash()` what a power cut would leave.

For unit tests and for simulation. Rows are kept sorted, so scans and seeks behave as on disk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

from hivewire.store import Columns
from hivewire.store.errors import StoreBroken
from hivewire.store.keys import COLUMNS, LAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivewire.store import Column


class Table:
    """The rows of one column family, sorted by key."""

    __slots__ = ("keys", "name", "rows", "synced")

    def __init__(self, name: str, synced: Table | None = None) -> None:
        self.name = name
        self.synced = synced
        self.rows: dict[bytes, bytes] = {}
        self.keys: list[bytes] = []

    def put(self, key: bytes, value: bytes) -> None:
        """Set a row."""
        if key not in self.rows:
            insort(self.keys, key)
        self.rows[key] = value

    def delete_range(self, begin: bytes, end: bytes) -> None:
        """Take away the rows from `begin` up to, not including, `end`."""
        first, behind = bisect_left(self.keys, begin), bisect_left(self.keys, end)
        for key in self.keys[first:behind]:
            del self.rows[key]
        del self.keys[first:behind]

    def forget_unsynced(self) -> None:
        """Go back to the rows that were synced."""
        if self.synced is not None:
            self.rows, self.keys = dict(self.synced.rows), list(self.synced.keys)


class MemoryBatch:
    """Changes for a `Memory`, in the order in which they were made."""

    def __init__(self) -> None:
        self.changes: list[tuple[Table, bytes, bytes, bool]] = []

    def put(self, key: bytes, value: bytes, column_family: Table, /) -> None:
        """Set a row."""
        self.changes.append((column_family, key, value, True))

    def delete(self, key: bytes, column_family: Table, /) -> None:
        """Take a row away."""
        self.changes.append((column_family, key, key + b"\0", False))

    def delete_range(self, begin: bytes, end: bytes, column_family: Table, /) -> None:
        """Take away the rows from `begin` up to, not including, `end`."""
        self.changes.append((column_family, begin, end, False))

    def __len__(self) -> int:
        return len(self.changes)


class Memory:
    """A `hivewire.store.Store` whose synced rows are a copy apart from its visible ones."""

    def __init__(self, *, epoch: str = "0" * 32, secret: bytes = bytes(32)) -> None:
        self.columns = Columns()
        self.epoch = epoch
        self.secret = secret
        self.failing = False
        """Set it to let every write and sync fail, as a full or broken disk does."""
        self._tables = [Table(name, synced=Table(name)) for name in COLUMNS]
        self._unsynced: list[MemoryBatch] = []
        for table in self._tables:
            setattr(self.columns, table.name, table)

    def crash(self) -> None:
        """Forget what was not synced, as a power cut does. Caches above must be dropped too."""
        self._unsynced.clear()
        for table in self._tables:
            table.forget_unsynced()

    def batch(self) -> MemoryBatch:
        """A new, empty batch."""
        return MemoryBatch()

    def write(self, batch: MemoryBatch) -> None:
        """Make a batch visible."""
        self._refuse_if_failing()
        self._unsynced.append(batch)
        for table, begin, value_or_end, is_put in batch.changes:
            _apply(table, begin, value_or_end, is_put=is_put)

    def sync(self) -> None:
        """Make what is visible survive `crash`."""
        self._refuse_if_failing()
        for batch in self._unsynced:
            for table, begin, value_or_end, is_put in batch.changes:
                if table.synced is not None:
                    _apply(table.synced, begin, value_or_end, is_put=is_put)
        self._unsynced.clear()

    def get(self, column: Column, key: bytes) -> bytes | None:
        """The value of one row."""
        return column.rows.get(key)

    def multi_get(self, column: Column, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many rows, in the order of `keys`."""
        return [column.rows.get(key) for key in keys]

    def last(self, column: Column, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The last row whose key is `prefix` and 8 bytes more at most."""
        index = bisect_right(column.keys, prefix + LAST) - 1
        if index < 0 or not column.keys[index].startswith(prefix):
            return None
        key: bytes = column.keys[index]
        return key, column.rows[key]

    def scan(
        self, column: Column, start: bytes, end: bytes | None, limit: int
    ) -> list[tuple[bytes, bytes]]:
        """Up to `limit` rows from `start` up to, not including, `end` (None: the column's end)."""
        first = bisect_left(column.keys, start)
        behind = len(column.keys) if end is None else bisect_left(column.keys, end)
        return [(key, column.rows[key]) for key in column.keys[first : min(behind, first + limit)]]

    def property(self, name: str) -> int | None:
        """The number of errors, or None: memory has no other property."""
        return int(self.failing) if name == "background-errors" else None

    def close(self) -> None:
        """Nothing to let go of."""

    def _refuse_if_failing(self) -> None:
        if self.failing:
            raise StoreBroken("the store was told to fail")


def _apply(table: Table, begin: bytes, value_or_end: bytes, *, is_put: bool) -> None:
    if is_put:
        table.put(begin, value_or_end)
    else:
        table.delete_range(begin, value_or_end)
