"""The log of a conversation: its events by place, each message in its present state.

What is read here is durable: it is asked for only when all that was written is (I2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire.core import events
from hivewire.core.limits import LISTED_REACTIONS, LISTED_REACTIONS_IN_ALL
from hivewire.store import StoreCorrupt, keys

if TYPE_CHECKING:
    from hivewire.store import Store


class Log(NamedTuple):
    """What a reader may see of a conversation: the places from `first` to `head`."""

    prefix: bytes
    first: int
    head: int


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
