"""What an ack delivers: the events between two cursors, as marks of their conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hivewire.core.gathered import message_keys
from hivewire.core.state import RECENT_EVENTS
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.entries import CursorEntry, DeviceEntry
    from hivewire.core.state import Place, UserState
    from hivewire.core.view import View

NOTED_EARLY = RECENT_EVENTS * 3 // 4
"""So many events that a gathered ack covers are looked at before it is written: soon after, memory
would not have them any more."""
EVENTS_A_STEP = 500
"""Events of one timeline that are looked at in one go; a page holds no more. Of what an ack covers
beyond, only the newest count: marks say "up to"."""


class _From(Struct, gc=False):
    """Of an event: who wrote it."""

    from_: str = msgspec.field(name="from")


_author = msgspec.json.Decoder(_From).decode


def note_delivered(entry: CursorEntry | DeviceEntry, view: View) -> None:
    """Move the delivered marks of all conversations of which this cursor covers new events."""
    user = view.user(entry.user)
    first, last = max(entry.since, user.delivered) + 1, min(entry.cursor, user.durable)
    if first > last:
        return
    user.delivered = last
    first = max(first, last - EVENTS_A_STEP + 1, user.floor)
    for conv, (n, authors) in _newest(_places(first, last, user, view)).items():
        conversation = view.conversation(conv)
        if conversation is not None and view.belongs(conversation, entry.user):
            view.marks.move(conv, entry.user, n, 0, frozenset(authors))


def note_early(entry: CursorEntry, view: View) -> None:
    """The same for an ack that was gathered just now, if it covers much: its user is a busy one.

    A cursor that is void, because a newer connection of its device decides it, moves nothing.
    """
    covered = entry.cursor - max(entry.since, view.users[entry.user].delivered)
    if covered >= NOTED_EARLY and view.cursors.gathered(entry.user, entry.device) is entry:
        note_delivered(entry, view)


def _newest(places: list[Place]) -> dict[str, tuple[int, set[str]]]:
    """For each conversation its newest place and all authors; `places` has the newest first."""
    found: dict[str, tuple[int, set[str]]] = {}
    last, authors = "", set[str]()
    for conv, n, author in places:
        # One conversation many times in a row is the usual.
        if conv != last:
            _, authors = found.setdefault(conv, (n, set[str]()))
            last = conv
        authors.add(author)
    return found


def _places(first: int, last: int, user: UserState, view: View) -> list[Place]:
    """The events of a timeline from `last` back to `first`: remembered, or read."""
    recent, skipped = user.recent, user.durable - last
    if recent is not None and skipped + last - first < len(recent):
        behind = len(recent) - skipped
        return recent[behind - (last - first + 1) : behind][::-1]
    store, columns = view.store, view.store.columns
    found = [key for key in message_keys(store, user, first, last + 1) if key is not None]
    found.reverse()
    bodies = store.multi_get(columns.messages, found)
    return [
        (*keys.split_position(key), _author(keys.message_body(body)).from_)
        for key, body in zip(found, bodies, strict=True)
        if body is not None
    ]


def authors_between(view: View, conv: str, first: int, last: int) -> frozenset[str]:
    """Who wrote the events `first` … `last` of a conversation; of many, the newest."""
    prefix = keys.prefix(conv)
    rows = [
        prefix + keys.position(n) for n in range(max(first, last - EVENTS_A_STEP + 1), last + 1)
    ]
    bodies = view.store.multi_get(view.store.columns.messages, rows)
    return frozenset(_author(keys.message_body(body)).from_ for body in bodies if body is not None)
