"""`push.unregister`: this device is not to be pushed to any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import PushUnregister
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

OP: Final = "push.unregister"


def handle(command: PushUnregister, caller: Caller, services: Services) -> None:
    """Forget the registration of the caller's device, if any; `ok` when that is durable."""
    user, device = caller.user, caller.device
    if user is None or device is None:
        refuse(NOT_CONNECTED, command.id, OP, caller, services)
        return
    services.delivery.unregister(user, device)
    services.metrics.commands[OP, "ok"] += 1
    answer = {"op": "ok", "id": command.id}
    services.delivery.when_durable(lambda: services.delivery.answer(caller, answer))
