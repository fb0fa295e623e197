"""Pages of a timeline: what a device that was away gets, in order and without holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hivewire.core.gathered import message_keys
from hivewire.core.limits import PAGE_BYTES, PAGE_EVENTS
from hivewire.store import StoreCorrupt, keys

if TYPE_CHECKING:
    from hivewire.core.state import UserState
    from hivewire.core.view import View

_from_json = msgspec.json.Decoder().decode
_LOOK_AHEAD = 64
"""Rows read at a time: a page that ends by its size has read at most that many too many."""


class Page(NamedTuple):
    """A part of one timeline, durable all of it. `events` are JSON objects with `seq` in front."""

    events: list[bytes]
    next: int
    """The position of the last event; where it would go on if there is none."""
    head: int
    done: bool
    """Whether `next` is the head: true as long as the head does not move."""
    trimmed_before: int

    def json_fields(self) -> bytes:
        """`"events":[…],…,"trimmed_before":T}`: to go on behind `{` or `{"op":"page","id":7,`."""
        return b'"events":[%b],"next":%d,"head":%d,"done":%b,"trimmed_before":%d}' % (
            b",".join(self.events),
            self.next,
            self.head,
            b"true" if self.done else b"false",
            self.trimmed_before,
        )

    def to_dict(self) -> dict[str, Any]:
        """The same fields as values, for MessagePack."""
        return {
            "events": [_from_json(event) for event in self.events],
            "next": self.next,
            "head": self.head,
            "done": self.done,
            "trimmed_before": self.trimmed_before,
        }


def page(view: View, user: str, after: int, limit: int, max_bytes: int = PAGE_BYTES) -> Page:
    """What comes behind `after`, up to `limit` events (clamped) and `max_bytes` of them.

    Shows durable events only (I2), and at least one if there is one, whatever its size. What was
    trimmed is skipped; `trimmed_before` tells.
    """
    timeline = view.user(user)
    head = timeline.durable
    first = max(after + 1, timeline.floor)
    behind = min(first + min(limit, PAGE_EVENTS), head + 1)
    events: list[bytes] = []
    size = 0
    for start in range(first, behind, _LOOK_AHEAD):
        for event in _read(view, timeline, start, min(start + _LOOK_AHEAD, behind)):
            size += len(event) + 1
            if size > max_bytes and events:
                return _page(events, first, timeline)
            events.append(event)
    return _page(events, first, timeline)


def _page(events: list[bytes], first: int, timeline: UserState) -> Page:
    end = first + len(events) - 1
    return Page(events, end, timeline.durable, end >= timeline.durable, timeline.floor)


def _read(view: View, timeline: UserState, start: int, behind: int) -> list[bytes]:
    """The events from `start` up to, not including, `behind`; all of them must be there (I3)."""
    store, columns = view.store, view.store.columns
    found = message_keys(store, timeline, start, behind)
    if None in found:
        missing = start + found.index(None)
        raise StoreCorrupt(f"timeline of {timeline.user} has no row of {missing}")
    bodies = store.multi_get(columns.messages, [key for key in found if key is not None])
    return [_event(seq, body, timeline) for seq, body in enumerate(bodies, start)]


def _event(seq: int, value: bytes | None, timeline: UserState) -> bytes:
    if value is None:
        raise StoreCorrupt(f"row {seq} in the timeline of {timeline.user} refers to no message")
    return b'{"seq":%d,%b' % (seq, keys.message_body(value)[1:])
