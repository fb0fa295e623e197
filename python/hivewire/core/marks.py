"""How far each member has got in each conversation: rows, and what is newer than the rows.

Two places, delivered and read, that never go back; read implies delivered. Moves are gathered and
written together, so that a busy reader writes a row in a while and not one an event.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from hivewire.core.entries import MarkEntry
from hivewire.core.remembered import REMEMBERED_ROWS, Remembered
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.store import Put, Store

NONE = keys.MarkRow(0, 0)


class Covered(NamedTuple):
    """A mark that moved, and who wrote what it newly covers, as far as that is asked for."""

    mark: MarkEntry
    authors: frozenset[str]


class Marks:
    """Gathers moves of marks; what is remembered of members that rest can be dropped."""

    def __init__(self, store: Store, remembered: int = REMEMBERED_ROWS) -> None:
        self._store = store
        self._moved: dict[tuple[str, str], Covered] = {}
        """By (conversation, user), newer than any row: to be written."""
        self._writing: dict[tuple[str, str], MarkEntry] = {}
        """In a group that is not durable yet."""
        self._rows: Remembered[tuple[str, str], MarkEntry] = Remembered(remembered)
        """What was written a moment ago."""

    @property
    def dirty(self) -> bool:
        """Whether something waits for `flush`."""
        return bool(self._moved)

    def load(self, conv: str, user: str) -> keys.MarkRow:
        """The marks of a member as planned."""
        known = self._known((conv, user))
        return keys.MarkRow(known.delivered, known.read)

    def _known(self, name: tuple[str, str]) -> MarkEntry | keys.MarkRow:
        """The same, in whatever there is that says it."""
        moved = self._moved.get(name)
        if moved is not None:
            return moved.mark
        # What is being written is remembered as well, unless much has been written since.
        return self._rows.get(name) or self._writing.get(name) or stored_marks(self._store, *name)

    def move(
        self, conv: str, user: str, delivered: int, read: int, authors: frozenset[str]
    ) -> bool:
        """Note that a member got further; False if that was known. Written by the next `flush`."""
        name = (conv, user)
        before = self._known(name)
        read = max(read, before.read)
        delivered = max(delivered, before.delivered, read)
        if delivered == before.delivered and read == before.read:
            return False
        gathered = self._moved.get(name)
        if gathered is not None:
            authors |= gathered.authors
        self._moved[name] = Covered(MarkEntry(user, conv, delivered, read), authors)
        return True

    def start(self, conv: str, user: str, n: int, put: Put) -> MarkEntry:
        """The marks of a new member begin at the head."""
        before = self.load(conv, user)
        self._moved.pop((conv, user), None)
        entry = MarkEntry(user, conv, max(n, before.delivered), max(n, before.read))
        self._write(entry, put)
        return entry

    def flush(self, put: Put, limit: int | None = None) -> list[Covered]:
        """Put the rows of moved marks, the oldest `limit` of them or all.

        They go back to `release` once they are durable. What is left is still `dirty`.
        """
        found = list(islice(self._moved.values(), limit))
        for covered in found:
            del self._moved[covered.mark.conv, covered.mark.user]
            self._write(covered.mark, put)
        return found

    def release(self, entries: Iterable[MarkEntry]) -> None:
        """These are durable now: the rows say it."""
        for entry in entries:
            name = (entry.conv, entry.user)
            if self._writing.get(name) is entry:
                del self._writing[name]

    def _write(self, entry: MarkEntry, put: Put) -> None:
        name = (entry.conv, entry.user)
        self._writing[name] = entry
        self._rows.keep(name, entry)
        value = keys.mark_value(entry.delivered, entry.read)
        put(mark_key(entry.conv, entry.user), value, self._store.columns.marks)


def mark_key(conv: str, user: str) -> bytes:
    """The key of a member's row in `marks`."""
    return keys.prefix(conv) + user.encode()


def stored_marks(store: Store, conv: str, user: str) -> keys.MarkRow:
    """The marks of a member as they are in the store."""
    row = store.get(store.columns.marks, mark_key(conv, user))
    return NONE if row is None else keys.parse_mark_value(row)
