"""Unread messages, counted: above the mark, not one's own, not recalled (protocol, section 6).

A count that was made once is extended by what is new. Who wrote what is kept in memory too, chunk
by chunk, for all who ask about the same conversation, so that a count from another mark needs no
read. What is in neither is read, a bounded number of rows at a time: `OutOfBudget` says that the
rest is for another turn of the loop.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hivewire.core.events import MESSAGE_START, RECALLED_START
from hivewire.store import StoreCorrupt, keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.store import Store

CHUNK = 256
"""Places of one chunk: those whose `n` divided by this is the same."""
KEPT_EVENTS = 1_000_000
"""Events whose authors are kept by default."""
KEPT_COUNTS = 16_384
"""Counts that are kept, of one user in one conversation each; about 300 bytes."""
ROWS_A_TURN = 2_000
"""Rows read before another turn of the loop: at 1 µs each, 2 ms."""
_READ_DIRECTLY = 48
"""So few rows are read as they are, and no chunk is made for them."""
_CHUNK_COST = 5
"""What counting in a chunk that is in memory costs, in rows read."""
_START = keys.MESSAGE_VERSION + MESSAGE_START
_RECALLED = keys.MESSAGE_VERSION + RECALLED_START
_NOBODY = ""
"""In place of an author: what counts for nobody, a recalled message or another event."""


class OutOfBudget(Exception):
    """Enough for one turn of the loop. `work` goes on; when it returns, ask again.

    It is to be called when all that was written is durable, and raises this again if there is
    still more.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self.work = work


class Budget:
    """Rows that may still be read in this turn."""

    __slots__ = ("rows",)

    def __init__(self, rows: int = ROWS_A_TURN) -> None:
        self.rows = rows


class Counted(NamedTuple):
    """How far a count has come: `unread` from `first` up to, not including, `behind`."""

    first: int
    behind: int
    unread: int
    recalls: int
    """What `Unread` knew of recalls; if it knows of more, this may be wrong."""


class Unread:
    """Counts for all users and conversations. Loop thread only.

    Reads only when all that was written is durable, as everything that shows state.
    """

    def __init__(self, store: Store, kept_events: int = KEPT_EVENTS) -> None:
        self._store = store
        self._bound = max(kept_events // CHUNK, 1)
        self._chunks: OrderedDict[tuple[str, int], list[str]] = OrderedDict()
        """By conversation and `n // CHUNK`: the author of each event, so far."""
        self._counts: OrderedDict[tuple[str, str], Counted] = OrderedDict()
        """By conversation and user."""
        self._recalls = [0] * 256
        """By partition: a count is made again after a recall in any conversation of its own."""

    def count(
        self, conv: str, user: str, first: int, head: int, budget: Budget | None = None
    ) -> int:
        """Messages of others from `first` to `head`, the durable head, that are still there.

        Raises OutOfBudget if it has to go on in another turn.
        """
        if first > head:
            return 0
        recalls = self._recalls[keys.partition(conv)]
        known = self._counts.get((conv, user))
        at, count = first, 0
        if (
            known is not None
            and (known.first, known.recalls) == (first, recalls)
            and known.behind <= head + 1
        ):
            at, count = known.behind, known.unread
        budget = budget or Budget()
        while at <= head:
            if budget.rows <= 0:
                self._keep(conv, user, Counted(first, at, count, recalls))
                raise OutOfBudget(partial(self.count, conv, user, first, head))
            behind = min((at // CHUNK + 1) * CHUNK, head + 1)
            count += _others(self._authors(conv, at, behind, budget), user)
            at = behind
        self._keep(conv, user, Counted(first, at, count, recalls))
        return count

    def forget(self, conv: str, n: int) -> None:
        """Message `n` was recalled, and that is durable."""
        self._recalls[keys.partition(conv)] += 1
        chunk = self._chunks.get((conv, n // CHUNK))
        if chunk is not None and n % CHUNK < len(chunk):
            chunk[n % CHUNK] = _NOBODY

    def _authors(self, conv: str, first: int, behind: int, budget: Budget) -> list[str]:
        """The authors from `first` up to `behind`, both in one chunk."""
        number = first // CHUNK
        base = number * CHUNK
        chunk = self._chunks.get((conv, number))
        budget.rows -= _CHUNK_COST
        if chunk is None:
            if behind - first <= _READ_DIRECTLY:
                budget.rows -= behind - first
                return read_authors(self._store, conv, first, behind - 1)
            # There is no event 0.
            chunk = self._chunks[conv, number] = [] if number else [_NOBODY]
            if len(self._chunks) > self._bound:
                self._chunks.popitem(last=False)
        else:
            self._chunks.move_to_end((conv, number))
        missing = base + len(chunk)
        if missing < behind:
            chunk += read_authors(self._store, conv, missing, behind - 1)
            budget.rows -= behind - missing
        return chunk[first - base : behind - base]

    def _keep(self, conv: str, user: str, counted: Counted) -> None:
        name = (conv, user)
        self._counts[name] = counted
        self._counts.move_to_end(name)
        if len(self._counts) > KEPT_COUNTS:
            self._counts.popitem(last=False)


def read_authors(store: Store, conv: str, first: int, last: int) -> list[str]:
    """Who wrote the events from `first` to `last`; `_NOBODY` where no message is.

    Rows are told apart by how they begin: nothing is decoded.
    """
    prefix = keys.prefix(conv)
    opening = len(_START) + len(f'"conv":"{conv}","n":')
    between = len(',"from":"')
    names: dict[bytes, str] = {}
    authors: list[str] = []
    start, end = prefix + keys.position(first), prefix + keys.position(last + 1)
    for key, value in store.scan(store.columns.messages, start, end, last + 1 - first):
        if not value.startswith(_START) or value.startswith(_RECALLED):
            authors.append(_NOBODY)
            continue
        begin = opening + len(str(keys.position_of(key))) + between
        name = value[begin : value.index(b'"', begin)]
        # One object for each author: a chunk is then little more than its list.
        authors.append(names.get(name) or names.setdefault(name, name.decode()))
    if len(authors) != last + 1 - first:
        raise StoreCorrupt(f"{conv} lacks a row between {first} and {last}")
    return authors


def _others(authors: list[str], user: str) -> int:
    return len(authors) - authors.count(_NOBODY) - authors.count(user)
