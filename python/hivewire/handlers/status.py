"""`status`: how present this device is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.handlers.ack import is_replaced
from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import Status
    from hivewire.core.entries import PresenceEntry
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Status, caller: Caller, services: Services) -> None:
    """Note the state of the caller's device until its connection ends.

    To hide is durable before it is answered: after a crash nothing newer is told either.
    """
    user = caller.user
    if user is None or caller.device is None:
        refuse(NOT_CONNECTED, command.id, "status", caller, services)
        return
    entry = services.presence.plan_status(user, command.state, services.now_ms)
    if entry is None:
        finish(command, entry, caller, services)
        return

    def answer() -> None:
        caller.busy = False
        finish(command, entry, caller, services)
        services.resume(caller)

    caller.busy = True
    services.delivery.seen([entry])
    services.delivery.when_durable(answer)


def finish(
    command: Status, entry: PresenceEntry | None, caller: Caller, services: Services
) -> None:
    """Let it count, unless a newer connection of the device has replaced this one."""
    user, device = caller.user, caller.device
    if user is None or device is None:
        return
    if not (caller.replaced or is_replaced(user, device, caller.conn, services)):
        since = services.now_ms if entry is None else entry.last_seen
        services.delivery.flush()
        services.presence.set_status(user, device, command.state, since, services.rates.now)
    services.metrics.commands["status", "ok"] += 1
    services.delivery.answer(caller, {"op": "ok", "id": command.id})
