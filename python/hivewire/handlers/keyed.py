"""Keyed commands other than `send`: planned, limited, applied, answered when durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.entries import ChangeEntry, Duplicate, Pending, Rejection
from hivewire.delivery import sent
from hivewire.handlers.errors import NOT_CONNECTED, refuse
from hivewire.handlers.send import answer_known, limited

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.commands import Change
    from hivewire.core.plan import Known
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

    Plan = Callable[[str, str], ChangeEntry | Known]
    """Decides for a user and a device."""
    Tell = Callable[[str, bool], None]
    """Answers for a conversation, and whether it is a repetition."""


def change_message(
    command: Change,
    plan: Plan,
    caller: Caller,
    services: Services,
    judge: Callable[[ChangeEntry], None] | None = None,
) -> None:
    """An event of which the caller gets `sent` in its place. `judge` decides about a new one."""
    planned = _plan(command, plan, caller, services)
    if isinstance(planned, ChangeEntry):
        if judge is None:
            put_change(planned, command, caller, services)
        else:
            judge(planned)
    elif planned is not None:
        answer_known(planned, command, caller, services)


def put_change(entry: ChangeEntry, command: Change, caller: Caller, services: Services) -> None:
    """Apply a planned change; `sent` and its events go out when it is durable."""
    answer = sent(entry, command.id, caller.encoding, dup=False)
    services.delivery.change(entry, caller, command.id, answer)


def change_group(
    command: Change, plan: Plan, tell: Tell, caller: Caller, services: Services
) -> None:
    """A change whose events the caller gets like everybody, and then an answer of its own."""
    planned = _plan(command, plan, caller, services)
    if planned is None:
        return
    delivery = services.delivery
    outcome = planned.outcome if isinstance(planned, Pending) else planned
    if isinstance(outcome, ChangeEntry):
        delivery.change(outcome, caller, command.id, None)
    elif isinstance(outcome, Duplicate):
        services.metrics.commands[op_of(command), "dup"] += 1
    elif not isinstance(planned, ChangeEntry):
        answer_known(planned, command, caller, services)
    if isinstance(outcome, Rejection):
        return
    conv, dup = outcome.conv, isinstance(outcome, Duplicate)
    delivery.when_durable(lambda: tell(conv, dup))


def op_of(command: Change) -> str:
    """The verb of a command."""
    return str(command.__struct_config__.tag)


def _plan(
    command: Change, plan: Plan, caller: Caller, services: Services
) -> ChangeEntry | Known | None:
    """What is to be done; None if the answer is on its way already."""
    user, device = caller.user, caller.device
    if user is None or device is None:
        refuse(NOT_CONNECTED, command.id, op_of(command), caller, services)
        return None
    planned = plan(user, device)
    if isinstance(planned, ChangeEntry):
        refusal = limited(command, user, caller, services)
        if refusal is not None:
            refuse(refusal, command.id, op_of(command), caller, services)
            return None
        services.metrics.commands[op_of(command), "ok"] += 1
    return planned
