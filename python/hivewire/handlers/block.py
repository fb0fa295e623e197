"""`block` and `unblock`: whether somebody's direct messages are taken."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hivewire.core.entries import BlockEntry, Rejection
from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import Block, Unblock
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

NOT_ONESELF = Rejection("bad_request", "nobody blocks himself", "user")


def handle(command: Block, caller: Caller, services: Services) -> None:
    """From here on direct messages of that user are refused; `ok` when that is durable."""
    set_block(command, caller, services, on=True)


def set_block(command: Block | Unblock, caller: Caller, services: Services, *, on: bool) -> None:
    """Write it, if it is not so already."""
    user, op = caller.user, str(command.__struct_config__.tag)
    refusal = NOT_CONNECTED if user is None else None
    if command.user == user:
        refusal = NOT_ONESELF
    if user is None or refusal is not None:
        refuse(refusal or NOT_CONNECTED, command.id, op, caller, services)
        return
    if services.view.is_blocked(user, command.user) != on:
        services.delivery.block(BlockEntry(user, command.user, on))
    services.metrics.commands[op, "ok"] += 1
    services.delivery.when_durable(partial(finish, user, command, caller, services, on=on))


def finish(
    user: str, command: Block | Unblock, caller: Caller, services: Services, *, on: bool
) -> None:
    """Answer `ok`, and let the other one see its end of it."""
    services.presence.block_changed(user, command.user, services.rates.now, blocked=on)
    services.delivery.answer(caller, {"op": "ok", "id": command.id})
