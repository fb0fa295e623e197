"""A conversation as it is now: its events in order, each message in its present state.

What is read here is durable: it is asked for only when all that was written is (I2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire.core import events
from hivewire.core.limits import LISTED_REACTIONS, LISTED_REACTIONS_IN_ALL, LISTING_BYTES
from hivewire.store import StoreCorrupt, keys

if TYPE_CHECKING:
    from hivewire.core.tails import Tails
    from hivewire.store import Store


LOOKED_AT = 500
"""Events among which the newest messages of a listing are looked for."""


class Log(NamedTuple):
    """What a reader may see of a conversation: the places from `first` to `head`."""

    prefix: bytes
    first: int
    head: int


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


def events_at(store: Store, prefix: bytes, first: int, last: int) -> list[bytes]:
    """The events from `first` to `last`, both included; all of them must be there (I3)."""
    if first > last:
        return []
    columns = store.columns
    rows = [prefix + keys.position(n) for n in range(first, last + 1)]
    bodies = store.multi_get(columns.messages, rows)
    # What became of a message stands under the same key in another column family.
    states = store.multi_get(columns.conversations, rows)
    found: list[bytes] = []
    for n, (body, state) in enumerate(zip(bodies, states, strict=True), first):
        if body is None:
            raise StoreCorrupt(f"{keys.split(prefix)[0]} has no row {n}")
        event = keys.message_body(body)
        found.append(event if state is None else _present(store, prefix, n, event, state))
    return found


def _present(store: Store, prefix: bytes, n: int, event: bytes, value: bytes) -> bytes:
    """A message with what became of it."""
    state: dict[str, Any] = events.decode(keys.message_body(value))
    if "recalled" in state:
        return event
    message: dict[str, Any] = events.decode(event)
    if "edited" in state:
        message |= {"text": state["text"], "edited": state["edited"]}
    counts: dict[str, int] = state.get("counts", {})
    if counts:
        limit = min(LISTED_REACTIONS, LISTED_REACTIONS_IN_ALL // len(counts))
        message["reactions"] = {emoji: _users(store, prefix, n, emoji, limit) for emoji in counts}
        message["reaction_counts"] = counts
    return events.encode(message)


def _users(store: Store, prefix: bytes, n: int, emoji: str, limit: int) -> list[str]:
    start = keys.reaction_key(prefix, n, emoji, "")
    column = store.columns.conversations
    rows = store.scan(column, start, keys.range_end(start), limit)
    return [key[len(start) :].decode() for key, _ in rows]
