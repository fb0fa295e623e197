"""A conversation as it is now: its events in order, each message in its present state.

What is read here is durable: it is asked for only when all that was written is (I2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hivewire.core import events
from hivewire.core.limits import LISTING_BYTES
from hivewire.core.log import events_at

if TYPE_CHECKING:
    from hivewire.core.log import Log
    from hivewire.core.tails import Tails
    from hivewire.store import Store


LOOKED_AT = 500
"""Events among which the newest messages of a listing are looked for."""


class Excerpt(NamedTuple):
    """Events in order of `n`, without a gap, as JSON objects."""

    items: list[bytes]
    done: bool
    """Whether there is nothing more in the direction that was asked for."""


def before(
    store: Store,
    log: Log,
    n: int | None,
    limit: int,
    max_bytes: int = LISTING_BYTES,
    tails: Tails | None = None,
) -> Excerpt:
    """The newest `limit` events below `n`, or at all. Too large ones leave out the oldest.

    With `tails` the newest ones come from memory if they are there.
    """
    last = log.head if n is None else min(n - 1, log.head)
    first = max(log.first, last - limit + 1)
    items = _read(store, log, first, last, tails)
    kept: list[bytes] = []
    size = 0
    for item in reversed(items):
        size += len(item) + 1
        if size > max_bytes and kept:
            return Excerpt(kept[::-1], done=False)
        kept.append(item)
    return Excerpt(kept[::-1], done=first <= log.first)


def after(store: Store, log: Log, n: int, limit: int, max_bytes: int = LISTING_BYTES) -> Excerpt:
    """The oldest `limit` events above `n`. Too large ones leave out the newest."""
    first = max(n + 1, log.first)
    last = min(first + limit - 1, log.head)
    items = events_at(store, log.prefix, first, last)
    size = 0
    for at, item in enumerate(items):
        size += len(item) + 1
        if size > max_bytes and at:
            return Excerpt(items[:at], done=False)
    return Excerpt(items, done=last >= log.head)


def last_messages(
    store: Store, log: Log, count: int, max_bytes: int, tails: Tails | None = None
) -> list[bytes]:
    """The newest `count` messages in order of `n`; other events are left out.

    Looks at no more than `LOOKED_AT` events, and keeps fewer messages than would not fit.
    """
    kept: list[bytes] = []
    size, last = 0, log.head
    lowest = max(log.first, log.head - LOOKED_AT + 1)
    while last >= lowest and len(kept) < count:
        first = max(lowest, last - 2 * (count - len(kept)) + 1)
        for item in reversed(_read(store, log, first, last, tails)):
            if len(kept) == count or not item.startswith(events.MESSAGE_START):
                continue
            size += len(item) + 1
            if size > max_bytes:
                return kept[::-1]
            kept.append(item)
        last = first - 1
    return kept[::-1]


def _read(store: Store, log: Log, first: int, last: int, tails: Tails | None) -> list[bytes]:
    if tails is None:
        return events_at(store, log.prefix, first, last)
    return tails.read(log, first, last)
