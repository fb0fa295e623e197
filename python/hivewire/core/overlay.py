"""Rows on their way to the disk: what the next plan must see and no read of the store shows yet.

A row is in a batch first, then written, then durable. `plan` sees it from the batch on; here it is
from there until it is durable. Messages and timelines are not in here: nobody plans by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.store import Put, Store

Row = tuple[str, bytes]
"""Name of a column family, and a key in it."""


class Pending:
    """One value of a row that is not durable yet; None: the row goes."""

    __slots__ = ("row", "value")

    def __init__(self, row: Row, value: bytes | None) -> None:
        self.row = row
        self.value = value


class Overlay:
    """Point reads of planned state. Bounded by what the journal lets wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[Row, Pending] = {}

    def get(self, column: str, key: bytes) -> bytes | None:
        """The row as it will be when all that was applied is durable."""
        pending = self._rows.get((column, key))
        if pending is not None:
            return pending.value
        return self._store.get(getattr(self._store.columns, column), key)

    def under(self, column: str, prefix: bytes) -> list[tuple[bytes, bytes | None]]:
        """What is on its way of the rows whose keys begin with `prefix`; None: a row goes."""
        return [
            (one.row[1], one.value)
            for one in self._rows.values()
            if one.row[0] == column and one.row[1].startswith(prefix)
        ]

    def put(self, column: str, key: bytes, value: bytes, put: Put) -> Pending:
        """Put a row into a batch and see it from now on; to be given back to `release`."""
        put(key, value, getattr(self._store.columns, column))
        return self._keep(Pending((column, key), value))

    def gone(self, column: str, key: bytes) -> Pending:
        """See a row as gone that a batch deletes; to be given back to `release`."""
        return self._keep(Pending((column, key), None))

    def release(self, pending: Iterable[Pending]) -> None:
        """These are durable now: the store says the same."""
        rows = self._rows
        for one in pending:
            if rows.get(one.row) is one:
                del rows[one.row]

    def _keep(self, pending: Pending) -> Pending:
        self._rows[pending.row] = pending
        return pending
