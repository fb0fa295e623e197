"""`keys.put`: what others need to encrypt for this device."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hivewire.core.access import plan_keys
from hivewire.core.entries import KeysEntry, Rejection
from hivewire.handlers.errors import NOT_CONNECTED, refuse, refuse_by_state

if TYPE_CHECKING:
    from hivewire.core.commands import KeysPut
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

NOT_FOR_OTHERS = Rejection("forbidden", "a device puts its own keys only", "device")


def handle(command: KeysPut, caller: Caller, services: Services) -> None:
    """Replace the device's keys, or take away those of a device of the user; `ok` when durable."""
    user, own = caller.user, caller.device
    if user is None or own is None:
        refuse(NOT_CONNECTED, command.id, "keys.put", caller, services)
        return
    device = own if command.device is None else command.device
    if device != own and command.keys:
        refuse(NOT_FOR_OTHERS, command.id, "keys.put", caller, services)
        return
    planned = plan_keys(user, device, command.keys, services.view, services.now_ms)
    if isinstance(planned, Rejection):
        refuse_by_state(planned, command.id, "keys.put", caller, services)
        return
    if isinstance(planned, KeysEntry):
        services.delivery.device_keys(planned)
    services.metrics.commands["keys.put", "ok"] += 1
    answer = {"op": "ok", "id": command.id}
    services.delivery.when_durable(partial(services.delivery.answer, caller, answer))
