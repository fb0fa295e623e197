"""`edit`: another text for a message of one's own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hivewire.core.entries import ChangeEntry
from hivewire.core.plan_change import plan_edit
from hivewire.handlers import screening
from hivewire.handlers.errors import refuse
from hivewire.handlers.keyed import change_message, put_change
from hivewire.handlers.send import BEHIND, answer_known

if TYPE_CHECKING:
    from hivewire.core.commands import Edit
    from hivewire.core.plan import Known
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Edit, caller: Caller, services: Services) -> None:
    """Answer `sent` when it is durable, with the promise and the key rule of `send`."""
    view, now, hooks = services.view, services.now_ms, services.hooks

    def plan(user: str, device: str) -> ChangeEntry | Known:
        return plan_edit(command, user, device, view, now)

    if hooks is None or not hooks.screens:
        change_message(command, plan, caller, services)
        return

    def judge(entry: ChangeEntry) -> None:
        store = partial(store_judged, entry.digest, caller, services)
        screening.screen(hooks, command, entry.conv, caller, services, store)

    if not screening.waits(hooks, command, caller, services, handle):
        change_message(command, plan, caller, services, judge)


def store_judged(digest: bytes, caller: Caller, services: Services, command: Edit) -> None:
    """Store what the application made of a text; `digest` is that of what the client sent."""
    user, device, view = str(caller.user), str(caller.device), services.view
    planned = plan_edit(command, user, device, view, services.now_ms, digest)
    if not isinstance(planned, ChangeEntry):
        answer_known(planned, command, caller, services)
    elif services.delivery.journal.is_full:
        refuse(BEHIND, command.id, "edit", caller, services)
    else:
        put_change(planned, command, caller, services)
