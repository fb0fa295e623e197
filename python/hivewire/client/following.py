"""How far the others have got with one's own messages, without any I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.client.pushes import Receipt

# Own messages that are followed; beyond it the oldest is forgotten.
MAX_FOLLOWED: Final = 1000

State = Literal["sending", "sent", "delivered", "read", "failed"]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a change stands.

    Attributes:
        key: the key it was given with.
        state: `sending` (in the client's store, if there is one), `sent` (on the server's stable
            storage), `delivered`, `read`, or `failed` (refused).
        command: the change itself, as it goes on the wire.
        conv: its conversation, known once it is sent.
        n: its position there.
        by: who has received or read it; in a group, one of those who have.
        error: why it failed.
    """

    key: str
    state: State
    command: dict[str, Any]
    conv: str | None = None
    n: int | None = None
    by: str | None = None
    error: Exception | None = None


class Following:
    """Own messages that are sent and not yet read.

    Args:
        tell: called with every state that a change comes to.
    """

    def __init__(self, tell: Callable[[Status], None]) -> None:
        self._tell = tell
        self._statuses: dict[str, Status] = {}

    def __len__(self) -> int:
        """How many are followed."""
        return len(self._statuses)

    def on_status(self, status: Status) -> None:
        """A change was taken on, answered or refused."""
        if status.state == "sent" and status.command["op"] == "send":
            self._statuses[status.key] = status
            if len(self._statuses) > MAX_FOLLOWED:
                del self._statuses[next(iter(self._statuses))]
        self._tell(status)

    def on_receipt(self, receipt: Receipt, me: str) -> None:
        """Tell what a receipt changes."""
        if receipt.user == me:
            return
        for key, before in list(self._statuses.items()):
            if before.conv != receipt.conv or before.n is None:
                continue
            state = _state(before.n, receipt)
            if state in ("sent", before.state):
                continue
            status = msgspec.structs.replace(before, state=state, by=receipt.user)
            if state == "read":
                del self._statuses[key]
            else:
                self._statuses[key] = status
            self._tell(status)


def _state(n: int, receipt: Receipt) -> State:
    if n <= receipt.read:
        return "read"
    return "delivered" if n <= receipt.delivered else "sent"
