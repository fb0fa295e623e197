"""`read`: the user has read a conversation up to here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.delivered import authors_between
from hivewire.core.entries import Rejection
from hivewire.core.limits import SMALL_GROUP
from hivewire.core.plan import not_yours
from hivewire.handlers.errors import NOT_CONNECTED, refuse, refuse_by_state
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import Read
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Read, caller: Caller, services: Services) -> None:
    """Move the user's mark; it never goes back. `ok`, where an id asks for it, when it is durable.

    Without an `id` it is written within `store.cursor_delay`, together with others.
    """
    refusal = _move(command, caller, services)
    if refusal is not None:
        # The head is durable; who is in it may not be yet.
        tell = refuse_by_state if refusal.code == "forbidden" else refuse
        tell(refusal, command.id, "read", caller, services)
        return
    services.metrics.commands["read", "ok"] += 1
    if command.id is None:
        services.move_cursor_soon()
        return
    answer = {"op": "ok", "id": command.id}
    services.delivery.marks()
    services.delivery.when_durable(lambda: services.delivery.answer(caller, answer))


def _move(command: Read, caller: Caller, services: Services) -> Rejection | None:
    user, view = caller.user, services.view
    if user is None:
        return NOT_CONNECTED
    conversation = view.conversation(command.conv)
    if conversation is None or not view.belongs(conversation, user):
        return not_yours("conv")
    if command.n > conversation.durable:
        head = conversation.durable
        return Rejection("bad_request", f"`n` is beyond the head, {head}", "n")
    authors: frozenset[str] = frozenset()
    if conversation.kind == keys.KIND_GROUP and conversation.size <= SMALL_GROUP:
        before = view.marks.load(command.conv, user).read
        if command.n > before:
            authors = authors_between(view, command.conv, before + 1, command.n)
    view.marks.move(command.conv, user, command.n, command.n, authors)
    return None
