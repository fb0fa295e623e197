"""Receipts: who is told how far somebody got in a conversation (protocol, section 6).

The user's own devices always; in a direct chat the other side; in a small group those who wrote
what was newly covered. Gathered, so that somebody who reads quickly makes a few pushes a second;
then they ride with the next event of their conversation, if one comes soon: most of those who are
told get that event as well, and one write takes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from hivewire.core.events import encode, twin
from hivewire.core.limits import SMALL_GROUP
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import MarkEntry
    from hivewire.core.marks import Covered
    from hivewire.core.state import ConversationState
    from hivewire.core.view import View

GATHER_MS = 400
"""From a mark that is durable until its receipt may go with an event."""
RIDE_MS = 200
"""How long it waits for one; the contract allows a second for both."""

Push = tuple[str, bytes, bytes | None]
"""To whom; the receipt as JSON and, if anybody speaks it, as MessagePack."""


class _Receipt(Struct, gc=False, tag_field="op", tag="receipt"):
    conv: str
    user: str
    delivered: int
    read: int


_Got = tuple[int, int, set[str]]
"""Up to where it was delivered and read, and who wrote what that covers."""


class Receipts:
    """Marks that are durable and not told yet. At most one a member of a conversation.

    Args:
        view: What conversations are.
        soon: Asks for `ride` in `GATHER_MS`.
    """

    def __init__(self, view: View, soon: Callable[[], None]) -> None:
        self._view = view
        self._soon = soon
        self._gathered: dict[tuple[str, str], _Got] = {}
        """By conversation and user."""
        self.riding: dict[str, dict[str, _Got]] = {}
        """By conversation, then by user: those that go with its next event."""

    def note(self, covered: Covered) -> None:
        """A mark is durable now.

        A receipt that rides tells the newest: an older mark may not be heard of after an answer
        that has shown this one.
        """
        mark, authors = covered
        riding = self.riding.get(mark.conv)
        if riding is not None and mark.user in riding:
            riding[mark.user] = (mark.delivered, mark.read, riding[mark.user][2] | authors)
            return
        if not self._gathered:
            self._soon()
        name = (mark.conv, mark.user)
        before = self._gathered.get(name)
        told = set(authors) if before is None else before[2] | authors
        self._gathered[name] = (mark.delivered, mark.read, told)

    def catch_up(self, mark: MarkEntry) -> None:
        """A mark that moved for another reason, as by joining again: nothing older is told."""
        name = (mark.conv, mark.user)
        before = self._gathered.get(name)
        if before is not None:
            self._gathered[name] = _newer(before, mark)
        riding = self.riding.get(mark.conv)
        if riding is not None and mark.user in riding:
            riding[mark.user] = _newer(riding[mark.user], mark)

    def ride(self) -> bool:
        """Let what was gathered go with events. What still waits after `RIDE_MS` is to be taken.

        Returns whether anything waits.
        """
        gathered, self._gathered = self._gathered, {}
        riding = self.riding
        for (conv, user), got in gathered.items():
            if conv in riding:
                riding[conv][user] = got
            else:
                riding[conv] = {user: got}
        return bool(riding)

    def take(self, *, with_twin: bool) -> list[Push]:
        """The receipts that found no event to go with."""
        return [push for conv in [*self.riding] for push in self.take_of(conv, with_twin=with_twin)]

    def take_of(self, conv: str, *, with_twin: bool) -> list[Push]:
        """The receipts that go with an event of this conversation."""
        conversation = self._view.conversation(conv)
        pushes: list[Push] = []
        for user, (delivered, read, authors) in self.riding.pop(conv).items():
            body = encode(_Receipt(conv, user, delivered, read))
            packed = twin(body) if with_twin else None
            told = sorted(_told(conversation, user, authors))
            pushes += [(other, body, packed) for other in told]
        return pushes


def _told(conversation: ConversationState | None, user: str, authors: set[str]) -> set[str]:
    if conversation is None or conversation.is_channel:
        return {user}
    if conversation.kind == keys.KIND_DIRECT:
        return {user, *conversation.members}
    if conversation.size > SMALL_GROUP:
        return {user}
    return {user, *(author for author in authors if author in conversation.roles)}


def _newer(got: _Got, mark: MarkEntry) -> _Got:
    delivered, read, authors = got
    return max(delivered, mark.delivered), max(read, mark.read), authors
