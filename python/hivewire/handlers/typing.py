"""`typing`: somebody writes. Told to who is there, and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.limits import SMALL_GROUP
from hivewire.core.plan import not_yours
from hivewire.handlers.errors import NOT_CONNECTED, refuse_by_state

if TYPE_CHECKING:
    from hivewire.core.commands import Typing
    from hivewire.core.entries import Rejection
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Typing, caller: Caller, services: Services) -> None:
    """Push it to the others of a direct chat or a small group; elsewhere it goes to nobody."""
    refusal = _push(command, caller, services)
    if refusal is not None:
        refuse_by_state(refusal, command.id, "typing", caller, services)
        return
    services.metrics.commands["typing", "ok"] += 1
    if command.id is not None:
        services.delivery.answer(caller, {"op": "ok", "id": command.id})


def _push(command: Typing, caller: Caller, services: Services) -> Rejection | None:
    user, view = caller.user, services.view
    if user is None:
        return NOT_CONNECTED
    conversation = view.conversation(command.conv)
    if conversation is None or not view.belongs(conversation, user) or user in conversation.refused:
        return not_yours("conv")
    if conversation.is_channel or conversation.size > SMALL_GROUP:
        return None
    push = {"op": "typing", "conv": command.conv, "user": user, "state": command.state}
    for member in conversation.members:
        if member != user:
            services.delivery.push(member, push)
    return None
