"""`outcome`: did my send get through, and who has it?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core.entries import Duplicate, Rejection
from hivewire.core.listing import peers
from hivewire.delivery import sent_fields
from hivewire.handlers import screening
from hivewire.handlers.queries import ask
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import Outcome
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

NOT_SO_FAR = Rejection("not_found", "nothing was done with this key so far", "key")


def handle(command: Outcome, caller: Caller, services: Services) -> None:
    """Answer when whatever is under way is settled."""
    hooks = services.hooks
    if hooks is not None and screening.waits(hooks, command, caller, services, handle):
        return
    ask(command, caller, services, partial(_answer, command, services))


def _answer(command: Outcome, services: Services, user: str) -> dict[str, Any] | Rejection:
    store = services.view.store
    value = store.get(store.columns.keys, keys.prefix(user) + command.key.encode())
    if value is None:
        return NOT_SO_FAR
    row = keys.parse_key_value(value)
    original = Duplicate(row.conv, row.n, row.seq, row.ts, row.op)
    recipients: list[dict[str, Any]] = []
    conversation = services.view.conversation(row.conv)
    if conversation is not None and not conversation.is_channel:
        recipients = [
            {
                "user": name,
                "delivered": marks["delivered"] >= row.n,
                "read": marks["read"] >= row.n,
            }
            for name, marks in peers(store, row.conv, user).items()
        ]
    sent = sent_fields(original, dup=False)
    return {
        "op": "outcome",
        "id": command.id,
        "key": command.key,
        "sent": sent,
        "recipients": recipients,
    }
