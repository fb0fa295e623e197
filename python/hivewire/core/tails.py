"""The newest events of conversations that are read, in memory.

What a client shows first, the last messages of its last conversations, is read again and again and
changes at one end. A tail is filled by whoever reads, grows with each event that becomes durable,
and answers only as far as it reaches up to the durable head: it never gives anything older or newer
than the store would. Bounded in bytes; whoever was read longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from hivewire.core.entries import SendEntry
from hivewire.core.log import events_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hivewire.core.entries import ChangeEntry
    from hivewire.core.log import Log
    from hivewire.store import Store

TAIL_EVENTS = 40
"""Events of one conversation: twice `LISTED_MESSAGES`, of which some are no messages."""
TAIL_BYTES = 64 * 1024 * 1024
"""Memory for all tails by default."""
_TAIL_WEIGHT = 400
"""About what a tail takes without its events."""
_EVENT_WEIGHT = 50
"""About what an event takes besides its bytes."""


class Tail:
    """The last events of one conversation, without a gap, each message in its present state."""

    __slots__ = ("events", "first", "size")

    def __init__(self, first: int, events: list[bytes | None]) -> None:
        self.first = first
        """The `n` of the first one."""
        self.events = events
        """As JSON; None where an event has changed since it was read."""
        self.size = _TAIL_WEIGHT + sum(map(_weight, events))
        """Bytes of memory."""

    @property
    def behind(self) -> int:
        """The `n` behind the last one."""
        return self.first + len(self.events)

    def append(self, event: bytes) -> None:
        """Add the next event; the oldest makes room for it."""
        self.events.append(event)
        self.size += _weight(event)
        if len(self.events) > TAIL_EVENTS:
            self.size -= _weight(self.events.pop(0))
            self.first += 1

    def forget(self, n: int) -> None:
        """Read event `n` again: it is no longer what it was."""
        at = n - self.first
        if 0 <= at < len(self.events):
            self.size -= _weight(self.events[at])
            self.events[at] = None
            self.size += _weight(None)


class Tails:
    """The tails of all conversations. Loop thread only.

    Reads only when all that was written is durable, as everything that shows state.
    """

    def __init__(self, store: Store, bound: int = TAIL_BYTES) -> None:
        self._store = store
        self._bound = bound
        self._tails: OrderedDict[str, Tail] = OrderedDict()
        self.size = 0
        """Bytes that all tails take, about."""
        self.hits = 0
        """Reads of newest events that needed nothing of the store."""
        self.misses = 0

    def release(self, entries: Iterable[SendEntry | ChangeEntry], bodies: Sequence[bytes]) -> None:
        """These are durable now, in this order; `bodies` are their events as JSON.

        A message to a conversation that nobody reads costs one look-up.
        """
        tails, at = self._tails, 0
        if not tails:
            return
        for entry in entries:
            if isinstance(entry, SendEntry):
                if entry.conv in tails:
                    self._append(entry.conv, entry.n, bodies[at])
                at += 1
                continue
            for part in entry.parts:
                if entry.conv in tails:
                    self._append(entry.conv, part.n, bodies[at])
                at += 1

    def figures(self) -> dict[str, int]:
        """What is counted, for the metrics."""
        return {
            "history_hits_total": self.hits,
            "history_misses_total": self.misses,
            "history_bytes": self.size,
        }

    def forget(self, conv: str, n: int) -> None:
        """Message `n` has changed, and that is durable."""
        tail = self._tails.get(conv)
        if tail is not None:
            self.size -= tail.size
            tail.forget(n)
            self.size += tail.size

    def read(self, log: Log, first: int, last: int) -> list[bytes]:
        """The events from `first` to `last`, both included and below `log.head`, as they are now.

        The newest are kept.
        """
        conv = log.prefix[1:-1].decode()
        newest = log.head - TAIL_EVENTS + 1
        if last < newest or first > last:
            return events_at(self._store, log.prefix, first, last)
        tail = self._tails.pop(conv, None)
        if tail is not None:
            self.size -= tail.size
            if tail.behind > log.head + 1 or tail.behind < newest:
                tail = None
        if tail is not None and tail.behind == log.head + 1 and first >= tail.first:
            events = tail.events[first - tail.first : last - tail.first + 1]
            if None not in events:
                self.hits += 1
                self._keep(conv, tail)
                return events  # pyright: ignore[reportReturnType] - none of them is None
        self.misses += 1
        found = self._complete(tail, log, first)
        self._keep(conv, Tail(log.head + 1 - len(found[-TAIL_EVENTS:]), [*found[-TAIL_EVENTS:]]))
        start = log.head + 1 - len(found)
        return found[first - start : last - start + 1]

    def _complete(self, tail: Tail | None, log: Log, first: int) -> list[bytes]:
        """The events from `first`, or from where the tail begins, to the head."""
        store, prefix = self._store, log.prefix
        if tail is None:
            return events_at(store, prefix, first, log.head)
        found = events_at(store, prefix, first, tail.first - 1)
        for n, event in enumerate(tail.events, tail.first):
            found += [event] if event is not None else events_at(store, prefix, n, n)
        return found + events_at(store, prefix, tail.behind, log.head)

    def _append(self, conv: str, n: int, event: bytes) -> None:
        tail = self._tails[conv]
        if n == tail.behind:
            self.size -= tail.size
            tail.append(event)
            self.size += tail.size
            self._shrink()

    def _keep(self, conv: str, tail: Tail) -> None:
        self._tails[conv] = tail
        self.size += tail.size
        self._shrink()

    def _shrink(self) -> None:
        while self.size > self._bound and self._tails:
            _, tail = self._tails.popitem(last=False)
            self.size -= tail.size


def _weight(event: bytes | None) -> int:
    return _EVENT_WEIGHT + (0 if event is None else len(event))
