"""`group.update`: another name, or another role for a member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.plan_group import plan_update
from hivewire.handlers.groups.describe import tell_group
from hivewire.handlers.keyed import change_group

if TYPE_CHECKING:
    from hivewire.core.commands import GroupUpdate
    from hivewire.core.entries import ChangeEntry
    from hivewire.core.plan import Known
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: GroupUpdate, caller: Caller, services: Services) -> None:
    """Answer `group` when it is durable, behind its events."""
    view, now = services.view, services.now_ms

    def plan(user: str, device: str) -> ChangeEntry | Known:
        return plan_update(command, user, device, view, now)

    def tell(conv: str, dup: bool) -> None:  # noqa: FBT001 - as `Tell` says
        tell_group(conv, command.id, caller, services, dup=dup)

    change_group(command, plan, tell, caller, services)
