"""What a line of the log says of the hook's arguments: whose they are, never what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core.entries import ChangeEntry, SendEntry
from hivewire.delivery import Caller
from hivewire.following import who
from hivewire.hooks.values import Event, Message, Session

if TYPE_CHECKING:
    from collections.abc import Iterable


def concerning(about: Iterable[object]) -> dict[str, Any]:
    """The fields of docs/operations.md that these things have."""
    found: dict[str, Any] = {}
    for one in about:
        if isinstance(one, Caller):
            found |= who(one)
        elif isinstance(one, Session):
            found |= {"connection": one.id, "user": one.user, "device": one.device}
        elif isinstance(one, Event):
            found |= {"conv": one.conv, "n": one.n, "key": one.key, "user": one.sender}
        elif isinstance(one, SendEntry | ChangeEntry):
            found |= {"conv": one.conv, "n": one.n, "key": one.key}
            found |= {"user": one.user, "device": one.device}
        elif isinstance(one, Message):
            found |= {"conv": one.conv, "key": one.key, "user": one.sender, "device": one.device}
    return found
