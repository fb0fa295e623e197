"""`push.register`: this device is to be pushed to when its user is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hivewire.core.entries import Rejection
from hivewire.core.plan_push import plan_register
from hivewire.handlers.errors import NOT_CONNECTED, refuse_by_state

if TYPE_CHECKING:
    from hivewire.core.commands import PushRegister
    from hivewire.core.entries import RegisterEntry
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

OP: Final = "push.register"
NO_PUSHES: Final = Rejection("unsupported", "this node does not push", "op")


def handle(command: PushRegister, caller: Caller, services: Services) -> None:
    """Write the registration of the caller's device; `ok` when that is durable."""
    planned = _plan(command, caller, services)
    if isinstance(planned, Rejection):
        refuse_by_state(planned, command.id, OP, caller, services)
        return
    if planned is not None:
        services.delivery.register(planned)
    services.metrics.commands[OP, "ok"] += 1
    answer = {"op": "ok", "id": command.id}
    services.delivery.when_durable(lambda: services.delivery.answer(caller, answer))


def _plan(
    command: PushRegister, caller: Caller, services: Services
) -> RegisterEntry | Rejection | None:
    user, device, push = caller.user, caller.device, services.push
    if user is None or device is None:
        return NOT_CONNECTED
    if push is None:
        return NO_PUSHES
    registration = push.registration(command, services.now_ms)
    if isinstance(registration, Rejection):
        return registration
    bound = services.settings.push.devices
    return plan_register(registration, user, device, services.view, bound)
