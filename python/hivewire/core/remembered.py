"""Rows that were read or written a moment ago: a look at memory instead of one into the store."""

from __future__ import annotations

from typing import Generic, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")

REMEMBERED_ROWS = 16_384
"""Rows of one kind; each takes about 200 bytes."""


class Remembered(dict[Key, Row], Generic[Key, Row]):
    """A bounded dict: the row that came first goes first. Who writes a row must put it in here."""

    def __init__(self, bound: int = REMEMBERED_ROWS) -> None:
        super().__init__()
        self._bound = bound

    def keep(self, key: Key, row: Row) -> Row:
        """Remember a row; returns it."""
        if len(self) >= self._bound and key not in self:
            del self[next(iter(self))]
        self[key] = row
        return row
