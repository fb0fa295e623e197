"""`group.members`: everybody in a group or channel, page by page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core.limits import LISTED_MEMBERS
from hivewire.core.plan import not_yours
from hivewire.handlers.groups.describe import is_member, list_members
from hivewire.handlers.queries import ask
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import GroupMembers
    from hivewire.core.entries import Rejection
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: GroupMembers, caller: Caller, services: Services) -> None:
    """Answer with what is durable, in byte order of the ids; `next` goes into `after`."""
    ask(command, caller, services, partial(_answer, command, services))


def _answer(command: GroupMembers, services: Services, user: str) -> dict[str, Any] | Rejection:
    store, prefix = services.view.store, keys.prefix(command.conv)
    if not is_member(store, prefix, user):
        return not_yours("conv")
    limit = min(command.limit, LISTED_MEMBERS)
    found = list_members(store, prefix, command.after, limit + 1)
    items = found[:limit]
    following = items[-1]["user"] if len(found) > limit else None
    return {"op": "members", "id": command.id, "items": items, "next": following}
