"""Timelines: every user has every event of his conversations exactly once, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import keys
from hivewire.store.timelines import references
from hivewire.store.verify.rows import (
    all_rows,
    body_of,
    direct_members,
    floor_of,
    head_of_conversation,
    is_direct,
    rows_under,
)

if TYPE_CHECKING:
    from hivewire.store import Store
    from hivewire.store.timelines import Reference
    from hivewire.store.verify.report import Report
    from hivewire.store.verify.rows import Body

NAMES = {
    keys.TYPE_MESSAGE: b"message",
    keys.TYPE_EDIT: b"edit",
    keys.TYPE_RECALL: b"recall",
    keys.TYPE_REACTION: b"reaction",
    keys.TYPE_MEMBERSHIP: b"membership",
    keys.TYPE_CONVERSATION: b"conversation",
}
"""What an event is called, by the type byte of the row that refers to it."""
ROLES = {keys.ROLE_MEMBER: "member", keys.ROLE_ADMIN: "admin", keys.ROLE_OWNER: "owner"}
NEVER = 2**64
"""Where a group becomes a channel that never does."""


def check_timelines(store: Store, report: Report) -> None:
    """I3 in timelines, and that each event is in each member's timeline exactly once.

    `report.channels` must be known: the pass over the messages comes first.
    """
    timeline = _Timeline(store, report, "")
    for key, value in all_rows(store, "timeline", report):
        user, start = keys.split_position(key)
        if user != timeline.user:
            timeline.end()
            timeline = _Timeline(store, report, user)
        for seq, reference in enumerate(references(value), start):
            timeline.row(seq, reference)
    timeline.end()


class _Part:
    """One conversation in one timeline: its last event there, and what they say of the user."""

    __slots__ = ("is_in", "last", "role")

    def __init__(self, last: int, *, is_in: bool) -> None:
        self.last = last
        self.is_in = is_in
        """Whether more is due."""
        self.role: str | None = None
        """None: no event says."""


class _Timeline:
    """The rows of one user, in order.

    While the user is in a conversation its next row must be the next `n`. Out of it, the next one
    is that with which the user comes back. In a channel only what is about the user is due. If the
    beginning was trimmed, a conversation may start anywhere.
    """

    def __init__(self, store: Store, report: Report, user: str) -> None:
        self._store = store
        self._report = report
        self.user = user
        self._floor = floor_of(store, user)
        self._next_seq = self._floor
        self._parts: dict[str, _Part] = {}

    def row(self, seq: int, reference: Reference) -> None:
        """One event: its place, what it refers to, and whether it belongs here."""
        if seq < self._floor:
            return  # in the row of the floor, or a trim was cut off by a crash: nobody reads it
        kind, message_key = reference
        conv, n = keys.split_position(message_key)
        if seq != self._next_seq:
            self._problem("seq", f"seq {self._next_seq} is missing: the next is {seq}")
        self._next_seq = seq + 1
        value = self._store.get(self._store.columns.messages, message_key)
        if value is None:
            self._problem("reference", f"seq {seq} refers to {conv} n {n}, which is not there")
            return
        event = keys.message_body(value)
        if not event.startswith(b'{"type":"%b"' % NAMES[kind]):
            self._problem("reference", f"seq {seq} is of type {kind}, {conv} n {n} is not")
        is_about = kind in (keys.TYPE_MEMBERSHIP, keys.TYPE_CONVERSATION)
        self._place(seq, conv, n, body_of(event) if is_about else None)

    def _place(self, seq: int, conv: str, n: int, body: Body | None) -> None:
        """Whether this event of a conversation was due; what is due from here on."""
        if is_direct(conv):
            if self.user not in direct_members(conv):
                self._problem("fan-out", f"seq {seq} is of {conv}: the user is no member")
            part = self._parts.setdefault(conv, _Part(0 if self._floor == 1 else n - 1, is_in=True))
        else:
            part = self._parts.setdefault(conv, _Part(0, is_in=False))
        if not self._is_due(part, conv, n, body):
            self._problem("fan-out", f"seq {seq} is {conv} n {n}, behind n {part.last}")
        part.last = n
        if not is_direct(conv):
            self._note(part, body)

    def _is_due(self, part: _Part, conv: str, n: int, body: Body | None) -> bool:
        in_channel = n > self._channel_since(conv)
        if part.is_in and not in_channel:
            return n == part.last + 1
        if part.last == 0 and self._floor > 1:
            return True
        if n <= part.last or body is None:
            return False
        # The first event of a group comes before the one that says who is in it.
        comes = n == 1 or self._change(body) == "added"
        return comes or (in_channel and part.is_in and self._concerns(body))

    def _channel_since(self, conv: str) -> int:
        channel = self._report.channels.get(conv)
        return NEVER if channel is None else channel.since

    def _concerns(self, body: Body) -> bool:
        return body["type"] == "conversation" or self._change(body) is not None

    def _change(self, body: Body) -> str | None:
        """What a membership event says of this user."""
        said = [c["change"] for c in body.get("changes", ()) if c["user"] == self.user]
        return said[-1] if said else None

    def _note(self, part: _Part, body: Body | None) -> None:
        """What an event of a group or channel says of this user's place in it."""
        part.is_in = True
        for change in () if body is None else body.get("changes", ()):
            if change["user"] == self.user:
                part.is_in = change["change"] in ("added", "role")
                part.role = change.get("role")

    def end(self) -> None:
        """Each conversation of the user is here up to its head, or was trimmed."""
        if not self.user:
            return
        prefix, columns = keys.prefix(self.user), self._store.columns
        start = prefix + keys.CONVERSATION_SUFFIX
        for key, value in rows_under(self._store, columns.members, start, keys.range_end(prefix)):
            conv = key[len(prefix) :].decode()
            part = self._parts.pop(conv, None)
            if part is not None or self._floor == 1:
                role = keys.parse_member_value(value).role
                self._check_end(conv, part or _Part(0, is_in=False), role)
        for conv, part in self._parts.items():
            if part.is_in and not is_direct(conv):
                self._problem("fan-out", f"{conv} ends with n {part.last}, without a farewell")

    def _check_end(self, conv: str, part: _Part, role: int) -> None:
        channel = self._report.channels.get(conv)
        head = head_of_conversation(self._store, conv)
        is_here = part.last == head if channel is None else part.last >= channel.said
        if not part.is_in or not is_here:
            self._problem("fan-out", f"{conv} is here up to n {part.last}, its head is {head}")
        # What says the role may have been trimmed.
        is_said = part.role is not None or self._floor == 1
        if is_said and not is_direct(conv) and part.role != ROLES[role]:
            self._problem("fan-out", f"{conv} says {part.role} last, not {ROLES[role]}")

    def _problem(self, rule: str, message: str) -> None:
        self._report.add(rule, self.user, message)
