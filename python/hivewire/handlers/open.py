"""`open`: this connection wants every event of a channel from now on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core.entries import Rejection
from hivewire.delivery.heads import heads_topic, open_topic
from hivewire.handlers.queries import ask, readable
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import Close, Open
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

NOT_A_CHANNEL = Rejection("bad_request", "not a channel", "conv")


def handle(command: Open, caller: Caller, services: Services) -> None:
    """Answer `ok` with the head; pushes start right behind it."""
    switch = heads_topic(command.conv), open_topic(command.conv)
    ask(command, caller, services, partial(switch_topic, command, caller, services, switch))


def switch_topic(
    command: Open | Close, caller: Caller, services: Services, switch: tuple[str, str], user: str
) -> dict[str, Any] | Rejection:
    """Move a member's connection from one topic of a channel to the other."""
    log = readable(command.conv, user, services)
    if isinstance(log, Rejection):
        return log
    conversation = services.view.existing(command.conv)
    if conversation.kind != keys.KIND_CHANNEL:
        return NOT_A_CHANNEL
    ops, now = services.delivery.ops, services.delivery.now
    left, joined = switch
    now.append((ops.unsubscribe, caller.conn, left))
    now.append((ops.subscribe, caller.conn, joined))
    return {"op": "ok", "id": command.id, "head": log.head}
