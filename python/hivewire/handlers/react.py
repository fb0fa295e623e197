"""`react`: an emoji on a message, or off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.plan_change import plan_react
from hivewire.handlers.keyed import change_message

if TYPE_CHECKING:
    from hivewire.core.commands import React
    from hivewire.core.entries import ChangeEntry
    from hivewire.core.plan import Known
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: React, caller: Caller, services: Services) -> None:
    """Answer `sent` when it is durable, with the promise and the key rule of `send`."""
    view, now = services.view, services.now_ms

    def plan(user: str, device: str) -> ChangeEntry | Known:
        return plan_react(command, user, device, view, now)

    change_message(command, plan, caller, services)
