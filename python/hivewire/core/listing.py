"""A user's conversations, the newest first, each with what a client shows before it opens one.

What is read here is durable: it is asked for only when all that was written is (I2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire.core import events, history
from hivewire.core.limits import LISTING_BYTES, SMALL_GROUP
from hivewire.core.log import Log
from hivewire.core.marks import stored_marks
from hivewire.core.names import parse_direct
from hivewire.core.newest import KEPT
from hivewire.core.unread import Budget, OutOfBudget
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.view import View
    from hivewire.store import Store

_ROWS_AT_A_TIME = 512
_SEEK_COST = 8
"""What looking up a conversation's newest event costs, in rows read."""


class Listed(NamedTuple):
    """A conversation among others of a user."""

    ts: int
    """When its last event was, milliseconds since the Unix epoch."""
    conv: str
    head: int
    member: keys.MemberRow


def listing(
    view: View,
    user: str,
    limit: int,
    before: str | None,
    messages: int,
    *,
    shown: Callable[[bytes], object],
    max_bytes: int = LISTING_BYTES,
) -> tuple[list[dict[str, Any]], str | None]:
    """Items of `conversations`, and what to give as `before` for the next ones if there are any.

    Args:
        view: Where they are.
        user: Whose conversations.
        limit: So many at most.
        before: What an earlier call returned; ValueError if it did not.
        messages: Messages of each, the newest.
        shown: Makes of an event as JSON what the answer holds.
        max_bytes: Of the listing as JSON.

    Raises OutOfBudget if that is too much for one turn of the loop.
    """
    budget = Budget()
    found = sorted(conversations_of(view, user, budget), key=_newest, reverse=True)
    if before is not None:
        ts, _, conv = before.partition(".")
        bound = (int(ts), conv)
        found = [one for one in found if _newest(one) < bound]
    # First all that may be interrupted: it is kept in memory and need not be done again.
    described = [(one, _describe(view, user, one, budget)) for one in found[:limit]]
    items: list[dict[str, Any]] = []
    size = 0
    for one, what in described:
        room = max_bytes - size
        item, weight = _item(view, user, one, what, messages, room)
        item["last"] = [shown(event) for event in item["last"]]
        if size + weight > max_bytes and items:
            break
        size += weight
        items.append(item)
    last = found[len(items) - 1] if 0 < len(items) < len(found) else None
    return items, None if last is None else f"{last.ts}.{last.conv}"


def _newest(one: Listed) -> tuple[int, str]:
    return one.ts, one.conv


def conversations_of(view: View, user: str, budget: Budget) -> list[Listed]:
    """All conversations that a user is in.

    Raises OutOfBudget after so many look-ups that the rest is for another turn of the loop.
    """
    store, newest = view.store, view.newest
    prefix = keys.prefix(user)
    start, end = prefix + keys.CONVERSATION_SUFFIX, keys.range_end(prefix)
    found: list[Listed] = []
    while rows := store.scan(store.columns.members, start, end, _ROWS_AT_A_TIME):
        for key, value in rows:
            conv = key[len(prefix) :].decode()
            if conv not in newest:
                budget.rows -= _SEEK_COST
            place = newest[conv]
            if place.head:
                member = keys.parse_member_value(value)
                found.append(Listed(place.ts, conv, place.head, member))
            if budget.rows <= 0 and len(found) < KEPT // 2:
                # What was looked up is in memory: the same again costs a tenth.
                raise OutOfBudget(_nothing)
        start = rows[-1][0] + b"\0"
    return found


def _nothing() -> None:
    """What there is to do before one asks again."""


def channels_of(store: Store, user: str) -> list[str]:
    """The channels that a user is in."""
    prefix = keys.prefix(user)
    start, end = prefix + keys.CONVERSATION_SUFFIX, keys.range_end(prefix)
    found: list[str] = []
    while rows := store.scan(store.columns.members, start, end, _ROWS_AT_A_TIME):
        for key, value in rows:
            if keys.parse_member_value(value).kind == keys.KIND_CHANNEL:
                found.append(key[len(prefix) :].decode())
        start = rows[-1][0] + b"\0"
    return found


class _Described(NamedTuple):
    """What stands in an item besides its messages."""

    row: keys.ConversationRow
    first: int
    """The oldest event that this user may see."""
    read: int
    unread: int


def _describe(view: View, user: str, one: Listed, budget: Budget) -> _Described:
    """What a conversation is for a user. Raises OutOfBudget, and goes on when asked again."""
    store = view.store
    value = store.get(store.columns.conversations, keys.prefix(one.conv))
    row = (
        keys.ConversationRow(one.member.kind, 0, keys.HISTORY_ALL, 2, "")
        if value is None
        else keys.parse_conversation_value(value)
    )
    first = one.member.since + 1 if row.history == keys.HISTORY_JOINED else 1
    read = stored_marks(store, one.conv, user).read
    unread = view.unread.count(one.conv, user, max(read + 1, first), one.head, budget)
    return _Described(row, first, read, unread)


def _item(
    view: View, user: str, one: Listed, described: _Described, messages: int, max_bytes: int
) -> tuple[dict[str, Any], int]:
    """One conversation, and about how many bytes it takes."""
    row = described.row
    item: dict[str, Any] = {
        "conv": one.conv,
        "kind": events.KINDS[row.kind],
        "name": row.name,
        "head": one.head,
        "read": described.read,
        "unread": described.unread,
    }
    if row.kind != keys.KIND_CHANNEL and row.size <= SMALL_GROUP:
        item["peers"] = peers(view.store, one.conv, user)
    weight = len(events.encode(item))
    log = Log(keys.prefix(one.conv), described.first, one.head)
    room = max(max_bytes - weight, 0)
    item["last"] = history.last_messages(view.store, log, messages, room, view.tails)
    return item, weight + sum(map(len, item["last"])) + len(item["last"])


def peers(store: Store, conv: str, user: str) -> dict[str, dict[str, int]]:
    """How far the others have got, in a direct chat or a small group."""
    direct = parse_direct(conv)
    prefix = keys.prefix(conv)
    if direct is not None:
        others = [name for name in direct.members if name != user]
    else:
        end = keys.range_end(prefix)
        rows = store.scan(store.columns.members, prefix, end, SMALL_GROUP + 1)
        names = [key[len(prefix) :].decode() for key, _ in rows]
        others = [name for name in names if name != user][:SMALL_GROUP]
    marks = store.multi_get(store.columns.marks, [prefix + name.encode() for name in others])
    found: dict[str, dict[str, int]] = {}
    for name, value in zip(others, marks, strict=True):
        mark = keys.MarkRow(0, 0) if value is None else keys.parse_mark_value(value)
        found[name] = {"delivered": mark.delivered, "read": mark.read}
    return found
