"""`group.leave`: the user leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.plan_group import plan_leave
from hivewire.handlers.keyed import change_group

if TYPE_CHECKING:
    from hivewire.core.commands import GroupLeave
    from hivewire.core.entries import ChangeEntry
    from hivewire.core.plan import Known
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: GroupLeave, caller: Caller, services: Services) -> None:
    """Answer `ok` when it is durable, behind its events."""
    view, now = services.view, services.now_ms

    def plan(user: str, device: str) -> ChangeEntry | Known:
        return plan_leave(command, user, device, view, now)

    def tell(_conv: str, _dup: bool) -> None:  # noqa: FBT001 - as `Tell` says
        services.delivery.answer(caller, {"op": "ok", "id": command.id})

    change_group(command, plan, tell, caller, services)
