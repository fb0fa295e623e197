"""Rows that were written a moment ago: a look at memory instead of one into the store."""

from __future__ import annotations

from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")

REMEMBERED_ROWS = 16_384
"""Rows of one kind; each takes about 200 bytes."""


class Remembered(dict[Key, Row], Generic[Key, Row]):
    """A bounded dict; a full one forgets the older half. Who writes a row must put it in here."""

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound

    def keep(self, key: Key, row: Row) -> None:
        """Remember a row."""
        if len(self) >= self._bound and key not in self:
            # Many at once: a dict looks for its first row ever longer while it loses them.
            for old in list(islice(self, max(self._bound // 2, 1))):
                del self[old]
        self[key] = row
