"""Rows as a proof reads them: all of a column family, or the one that another refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hivewire.store import keys
from hivewire.store.timelines import end_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hivewire.store import Column, Store
    from hivewire.store.verify.report import Report

_ROWS_AT_A_TIME = 512

Body = dict[str, Any]
"""An event, or the state of a message, as JSON has it."""

body_of = msgspec.json.Decoder(dict[str, Any]).decode


def all_rows(store: Store, name: str, report: Report) -> Iterator[tuple[bytes, bytes]]:
    """All rows of a column family, a few at a time."""
    column, start = getattr(store.columns, name), b""
    while rows := store.scan(column, start, None, _ROWS_AT_A_TIME):
        report.counts[name] += len(rows)
        yield from rows
        start = rows[-1][0] + b"\0"


def rows_under(
    store: Store, column: Column, start: bytes, end: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """The rows from `start` up to, not including, `end`."""
    while rows := store.scan(column, start, end, _ROWS_AT_A_TIME):
        yield from rows
        start = rows[-1][0] + b"\0"


def event_at(store: Store, conv: str, n: int) -> Body | None:
    """An event of a conversation; None if there is none."""
    value = store.get(store.columns.messages, keys.prefix(conv) + keys.position(n))
    return None if value is None else body_of(keys.message_body(value))


def state_at(store: Store, conv: str, n: int) -> Body | None:
    """What became of a message; None if nothing did."""
    value = store.get(store.columns.conversations, keys.state_key(keys.prefix(conv), n))
    return None if value is None else body_of(keys.message_body(value))


def conversation_row(store: Store, conv: str) -> keys.ConversationRow | None:
    """What a conversation is; None if nothing says so."""
    value = store.get(store.columns.conversations, keys.prefix(conv))
    return None if value is None else keys.parse_conversation_value(value)


def user_row(store: Store, user: str) -> keys.UserRow | None:
    """What is known of a user beside the timeline; None if that is nothing."""
    value = store.get(store.columns.marks, keys.prefix(user))
    return None if value is None else keys.parse_user_value(value)


def floor_of(store: Store, user: str) -> int:
    """The oldest `seq` that a trim left of a timeline; 1 if nothing was trimmed."""
    row = user_row(store, user)
    return 1 if row is None else row.floor


def head_of_conversation(store: Store, conv: str) -> int:
    """The last `n`; 0 if there is no event."""
    last = store.last(store.columns.messages, keys.prefix(conv))
    return 0 if last is None else keys.position_of(last[0])


def head_of_timeline(store: Store, user: str) -> int:
    """The last `seq`; one below the floor if there is no event."""
    last = store.last(store.columns.timeline, keys.prefix(user))
    return floor_of(store, user) - 1 if last is None else end_of(last)


def is_direct(conv: str) -> bool:
    """Whether a conversation is of two users, who are in its name."""
    return conv.startswith("direct:")


def direct_members(conv: str) -> frozenset[str]:
    """The members of a direct conversation; of another one, nobody."""
    if not is_direct(conv):
        return frozenset()
    return frozenset(conv.removeprefix("direct:").split(","))
