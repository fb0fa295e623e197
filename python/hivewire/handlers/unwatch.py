"""`unwatch`: of these users no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import Unwatch
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Unwatch, caller: Caller, services: Services) -> None:
    """Tell this connection about these users no longer; one whom it does not watch is no error."""
    if caller.user is None:
        refuse(NOT_CONNECTED, command.id, "unwatch", caller, services)
        return
    services.presence.unwatch(caller.conn, command.users)
    services.metrics.commands["unwatch", "ok"] += 1
    services.delivery.answer(caller, {"op": "ok", "id": command.id})
