"""Receipts: who is told how far somebody got in a conversation (protocol, section 6).

The user's own devices always; in a direct chat the other side; in a small group those who wrote
what was newly covered. Gathered, so that somebody who reads quickly makes one push a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.events import encode, twin
from hivewire.core.limits import SMALL_GROUP
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import MarkEntry
    from hivewire.core.marks import Covered
    from hivewire.core.view import View

GATHER_MS = 500
"""From a mark that is durable to its receipt; the contract allows a second."""

Push = tuple[str, bytes, bytes | None]
"""To whom; the receipt as JSON and, if anybody speaks it, as MessagePack."""


class Receipts:
    """Marks that are durable and not told yet. At most one a member of a conversation.

    Args:
        view: What conversations are.
        soon: Asks for `take` in `GATHER_MS`.
    """

    def __init__(self, view: View, soon: Callable[[], None]) -> None:
        self._view = view
        self._soon = soon
        self._waiting: dict[tuple[str, str], tuple[int, int, set[str]]] = {}

    def note(self, covered: Covered) -> None:
        """A mark is durable now."""
        mark, authors = covered
        if not self._waiting:
            self._soon()
        name = (mark.conv, mark.user)
        before = self._waiting.get(name)
        told = set(authors) if before is None else before[2] | authors
        self._waiting[name] = (mark.delivered, mark.read, told)

    def catch_up(self, mark: MarkEntry) -> None:
        """A mark that moved for another reason, as by joining again: nothing older is told."""
        name = (mark.conv, mark.user)
        before = self._waiting.get(name)
        if before is not None:
            delivered, read, told = before
            self._waiting[name] = (max(delivered, mark.delivered), max(read, mark.read), told)

    def take(self, *, with_twin: bool) -> list[Push]:
        """The receipts of all that was gathered."""
        waiting, self._waiting = self._waiting, {}
        pushes: list[Push] = []
        for (conv, user), (delivered, read, authors) in waiting.items():
            receipt = {"conv": conv, "user": user, "delivered": delivered, "read": read}
            body = encode({"op": "receipt", **receipt})
            packed = twin(body) if with_twin else None
            told = sorted(self._told(conv, user, authors))
            pushes += [(other, body, packed) for other in told]
        return pushes

    def _told(self, conv: str, user: str, authors: set[str]) -> set[str]:
        conversation = self._view.conversation(conv)
        if conversation is None or conversation.is_channel:
            return {user}
        if conversation.kind == keys.KIND_DIRECT:
            return {user, *conversation.members}
        if conversation.size > SMALL_GROUP:
            return {user}
        return {user, *(author for author in authors if author in conversation.roles)}
