"""The newest event of conversations that were listed: what a listing is sorted by, in memory.

A look at the store costs a seek for each conversation, 2.6 µs, and a user may have a thousand.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.store import Store

KEPT = 65_536
"""Conversations that are kept; about 250 bytes each."""


class Place(NamedTuple):
    """Where a conversation has got to."""

    head: int
    ts: int
    """When its last event was, milliseconds since the Unix epoch."""


NOTHING = Place(0, 0)
"""Of a conversation without an event."""


class _Ts(Struct, gc=False):
    ts: int


_ts = msgspec.json.Decoder(_Ts).decode


class Newest(OrderedDict[str, Place]):
    """The durable newest event of conversations, by id. Loop thread only."""

    def __init__(self, store: Store, bound: int = KEPT) -> None:
        super().__init__()
        self._store = store
        self._bound = bound

    def __missing__(self, conv: str) -> Place:
        """Read it, and keep it if there is one.

        To be asked only when all that was written is durable, as everything that shows state.
        """
        last = self._store.last(self._store.columns.messages, keys.prefix(conv))
        if last is None:
            return NOTHING
        place = Place(keys.position_of(last[0]), _ts(keys.message_body(last[1])).ts)
        if len(self) >= self._bound:
            self.popitem(last=False)
        self[conv] = place
        return place

    def release(self, conv: str, n: int, ts: int) -> None:
        """Event `n` is durable now. What was never listed costs one look-up."""
        if conv in self:
            self[conv] = Place(n, ts)
