"""Rows that were written a moment ago: a look at memory instead of one into the store."""

from __future__ import annotations

from typing import Generic, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")

REMEMBERED_ROWS = 8_192
"""Rows of one kind; each takes about 200 bytes."""


class Remembered(dict[Key, Row], Generic[Key, Row]):
    """A bounded dict; a full one is emptied. Who writes a row must put it in here."""

    def __init__(self, bound: int = REMEMBERED_ROWS) -> None:
        super().__init__()
        self._bound = bound

    def keep(self, key: Key, row: Row) -> None:
        """Remember a row."""
        if len(self) >= self._bound and key not in self:
            # To look for the oldest would cost more: a dict forgets its first rows slowly.
            self.clear()
        self[key] = row
