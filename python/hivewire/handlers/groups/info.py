"""`group.info`: what a group is and who is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.plan import not_yours
from hivewire.handlers.errors import NOT_CONNECTED, refuse
from hivewire.handlers.groups.describe import is_member, tell_group
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import GroupInfo
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: GroupInfo, caller: Caller, services: Services) -> None:
    """Answer `group` with what is durable."""
    user, store = caller.user, services.view.store
    if user is None:
        refuse(NOT_CONNECTED, command.id, "group.info", caller, services)
        return

    def tell() -> None:
        if is_member(store, keys.prefix(command.conv), user):
            services.metrics.commands["group.info", "ok"] += 1
            tell_group(command.conv, command.id, caller, services)
        else:
            refuse(not_yours("conv"), command.id, "group.info", caller, services)

    services.delivery.when_durable(tell)
