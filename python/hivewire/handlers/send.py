"""`send`: a message, stored once, numbered, and only then answered and shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hivewire.core.entries import Duplicate, Pending, Rejection, SendEntry
from hivewire.core.plan import plan_send
from hivewire.delivery.caller import SERVER
from hivewire.handlers import screening
from hivewire.handlers.errors import NOT_CONNECTED, in_flight, refuse, refuse_by_state
from hivewire.handlers.rates import Verdict

if TYPE_CHECKING:
    from hivewire.core.commands import Change, Send
    from hivewire.core.plan import Known
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

OPEN_ID = Rejection("bad_request", "a command with this `id` is still open", "id")
BEHIND = Rejection(
    "unavailable", "too much waits for the disk", retryable=True, retry_after_ms=1_000
)


def handle(command: Send, caller: Caller, services: Services) -> None:
    """Plan it; a new one is applied, a known one answered as it was the first time.

    The key is looked up before any limit, so that a resend always gets its answer.
    """
    user, device = caller.user, caller.device
    if user is None or device is None:
        refuse(NOT_CONNECTED, command.id, "send", caller, services)
        return
    hooks = services.hooks
    if hooks is not None and not (hooks.screens and caller.conn != SERVER):
        hooks = None
    if hooks is not None and screening.waits(hooks, command, caller, services, handle):
        return
    planned = plan_send(command, user, device, services.view, services.now_ms)
    if isinstance(planned, SendEntry):
        refusal = limited(command, user, caller, services)
        if refusal is not None:
            refuse(refusal, command.id, "send", caller, services)
        elif hooks is None:
            services.delivery.send(planned, command.id, caller)
        else:
            store = partial(store_judged, planned.digest, caller, services)
            screening.screen(hooks, command, planned.conv, caller, services, store)
        return
    answer_known(planned, command, caller, services)


def store_judged(digest: bytes, caller: Caller, services: Services, command: Send) -> None:
    """Store what the application made of a message; `digest` is that of what the client sent."""
    user, device, view = str(caller.user), str(caller.device), services.view
    planned = plan_send(command, user, device, view, services.now_ms, digest)
    if not isinstance(planned, SendEntry):
        answer_known(planned, command, caller, services)
    elif services.delivery.journal.is_full:
        refuse(BEHIND, command.id, "send", caller, services)
    else:
        services.delivery.send(planned, command.id, caller)


def answer_known(
    planned: Known, command: Send | Change, caller: Caller, services: Services
) -> None:
    """Answer a keyed command that is not carried out: it was before, or cannot be."""
    op = str(command.__struct_config__.tag)
    outcome = planned.outcome if isinstance(planned, Pending) else planned
    if isinstance(outcome, Duplicate):
        services.metrics.commands[op, "dup"] += 1
        services.delivery.repeat(outcome, command.id, caller)
    else:
        refuse_by_state(outcome, command.id, op, caller, services)


def limited(
    command: Send | Change, user: str, caller: Caller, services: Services
) -> Rejection | None:
    """Why a good keyed command is not taken now, if that is so."""
    delivery, conn = services.delivery, caller.conn
    if conn != SERVER and (open_ids := delivery.open_ids(conn)):
        if command.id in open_ids:
            return OPEN_ID
        if len(open_ids) >= services.settings.limits.sends_in_flight:
            return in_flight(services.settings.limits.sends_in_flight)
    if delivery.journal.is_full:
        return BEHIND
    if services.rates.unlimited or conn == SERVER:
        return None
    return _paced(user, caller, services)


def _paced(user: str, caller: Caller, services: Services) -> Rejection | None:
    """Why this user or this connection sends too fast, if so."""
    verdict, wait = services.rates.send(caller.conn, user)
    if verdict is Verdict.GOOD:
        return None
    if verdict is Verdict.FLOOD:
        code = services.close_codes["RATE_LIMITED"]
        services.delivery.close(caller, code, "far too many sends")
    return Rejection("rate_limited", "too many sends", retryable=True, retry_after_ms=wait)
