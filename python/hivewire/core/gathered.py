"""References on their way into timelines: gathered until they make a run, then one row.

An event for a few puts its references at once. One for many members would put as many rows: it gets
one row of `fanout` instead, which a start after a crash carries out, and its references wait in
memory until each run is full, or too much is waiting.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from hivewire.store import keys
from hivewire.store.timelines import (
    RUN,
    SINGLE,
    WITHIN,
    fanout_value,
    message_key_of,
    read,
    runs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hivewire.core.state import UserState
    from hivewire.store import Columns, Put, Store

MANY = 8
"""Members from which on an event is gathered: below, a row of `fanout` saves nothing."""
WAITING = 16_384
"""Timelines that may wait, by default: fewer than are spoken to in groups at a time, and each would
get a row before its run is half full, which costs more than a row at once. A start after a crash
carries out sixteen times as many references at most, 65,536 of them in about half a second."""
_FREED_AT_ONCE = 4_096
"""References in rows of `fanout` that are deleted by one range."""


class Swept(NamedTuple):
    """Timelines that got rows before their runs were full."""

    places: list[tuple[UserState, int]]
    """Up to where each is in rows, once those are durable."""


class Gathered:
    """What waits to make a run, of all timelines in memory. Loop thread only.

    Args:
        store: Where the rows are.
        users: The timelines by user; one that is not here is read.
        waiting: Timelines that may wait for a full run; sixteen times as many references.
    """

    def __init__(
        self, store: Store, users: Mapping[str, UserState], waiting: int = WAITING
    ) -> None:
        self._columns: Columns = store.columns
        self._store = store
        self._users = users
        self._waiting = waiting
        self._count = 0
        """References gathered since the start: the key of the newest row of `fanout`."""
        self._freed = 0
        """Rows of `fanout` up to here are deleted, or about to be."""
        self._owing: dict[str, UserState] = {}
        """Whose references wait, in the order of the first reference that does."""

    def add(
        self, reference: bytes, members: Sequence[tuple[str, int]], put: Put
    ) -> list[UserState] | None:
        """Take a place in each member's timeline for a packed reference.

        Returns the timelines where they are many, in the order of `members`.
        """
        if len(members) >= MANY:
            return self._gather(reference, members, put)
        users, timeline, position = self._users, self._columns.timeline, keys.position
        single = SINGLE + reference
        for member, seq in members:
            state = users[member]
            if state.tail and not self._forget(state):
                state.tail.append(reference)
                state.planned = seq
                self._put(state, put)
            else:
                put(state.prefix + position(seq), single, timeline)
                state.planned = state.rows = seq
        return None

    def _gather(
        self, reference: bytes, members: Sequence[tuple[str, int]], put: Put
    ) -> list[UserState]:
        users, owing, position = self._users, self._owing, keys.position
        states: list[UserState] = []
        since = self._count
        self._count += len(members)
        for member, seq in members:
            # One that is not in memory is read here, in place of one at rest: of those before it
            # none is any more, for their places are planned.
            state = users[member]
            states.append(state)
            tail = state.tail
            if tail:
                tail.append(reference)
            else:
                state.tail = [reference]
                state.tail_first = seq
            state.planned = seq
            if seq & WITHIN == WITHIN:
                self._put(state, put)
            elif state.rows == seq - 1:
                state.owes_since = since
                owing[member] = state
        places = [
            state.prefix + position(seq) for state, (_, seq) in zip(states, members, strict=True)
        ]
        put(position(self._count), fanout_value(reference, places), self._columns.fanout)
        return states

    def sweep(self, put: Put, limit: int | None = None) -> Swept:
        """Put runs that are not full: if too much waits, of the `limit` who wait the longest.

        Without a limit all of them, in any case. To be followed by `release` once the rows are
        durable.
        """
        swept = Swept([])
        is_much = (
            len(self._owing) > self._waiting or self._count - self._first_owed > self._waiting * RUN
        )
        if limit is not None and not is_much:
            return swept
        for state in list(islice(self._owing.values(), limit)):
            self._put(state, put)
            state.sweeping = state.planned
            swept.places.append((state, state.planned))
        return swept

    def release(self, swept: Swept) -> None:
        """Those rows are durable now."""
        for state, seq in swept.places:
            if state.sweeping == seq:
                state.sweeping = 0

    def to_free(self, *, everything: bool = False) -> tuple[bytes, bytes] | None:
        """The range of `fanout` that no timeline needs any more; None if it is not worth it yet.

        To be deleted when all that was put until now is durable.
        """
        first = self._first_owed
        if first - self._freed < (1 if everything else _FREED_AT_ONCE):
            return None
        # The row of an event has the count behind it as its key.
        begin, self._freed = self._freed, first
        return keys.position(begin), keys.position(first + 1)

    @property
    def _first_owed(self) -> int:
        """What was counted before the oldest reference that waits."""
        return next(iter(self._owing.values())).owes_since if self._owing else self._count

    def _put(self, state: UserState, put: Put) -> None:
        """Put what is in no row yet, and drop from memory what is in durable ones."""
        self._forget(state)
        first = state.rows + 1
        tail = state.tail or []
        waiting = tail[first - state.tail_first :] if first > state.tail_first else tail
        for key, value in runs(state.prefix, first, waiting):
            put(key, value, self._columns.timeline)
        state.rows = state.planned
        self._owing.pop(state.user, None)

    @staticmethod
    def _forget(state: UserState) -> bool:
        """Drop references that can be read from rows. Returns whether none is left.

        A row is put with its last event or later, and read once it is durable.
        """
        if state.tail is None or state.durable < state.rows or state.sweeping:
            return not state.tail
        del state.tail[: max(state.rows + 1 - state.tail_first, 0)]
        state.tail_first = state.rows + 1
        return not state.tail


def message_keys(store: Store, state: UserState, first: int, behind: int) -> list[bytes | None]:
    """The keys in `messages` of a timeline's events `first` … `behind - 1`, all of them durable.

    None where the timeline has none: that is damage, or below its floor.
    """
    tail, split = state.tail, behind
    if tail:
        split = min(max(state.tail_first, first), behind)
    found = read(store, state.prefix, first, split) if first < split else []
    if tail and split < behind:
        at = split - state.tail_first
        found += tail[at : at + behind - split]
    return [None if packed is None else message_key_of(packed) for packed in found]
