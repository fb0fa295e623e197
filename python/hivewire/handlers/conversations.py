"""`conversations`: what there is, the newest first, with what is unread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core import events
from hivewire.core.entries import Rejection
from hivewire.core.limits import LISTED_CONVERSATIONS, LISTED_MESSAGES
from hivewire.core.listing import listing
from hivewire.delivery import JSON
from hivewire.handlers.queries import ask

if TYPE_CHECKING:
    from hivewire.core.commands import Conversations
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

NOT_OURS = Rejection("bad_request", "`before` is not what an earlier answer gave", "before")


def handle(command: Conversations, caller: Caller, services: Services) -> None:
    """Answer with what is durable."""
    ask(command, caller, services, partial(_answer, command, caller.encoding, services))


def _answer(
    command: Conversations, encoding: int, services: Services, user: str
) -> dict[str, Any] | Rejection:
    limit = min(command.limit, LISTED_CONVERSATIONS)
    messages = min(command.messages, LISTED_MESSAGES)
    shown = events.raw if encoding == JSON else events.decode
    view = services.view
    try:
        items, following = listing(view, user, limit, command.before, messages, shown=shown)
    except ValueError:
        return NOT_OURS
    return {"op": "conversations", "id": command.id, "items": items, "next": following}
