"""Refusals: the `error` object, and what becomes of a peer that does little else than be wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core.entries import Rejection
from hivewire.delivery.caller import SERVER

if TYPE_CHECKING:
    from hivewire.core.commands import CommandError
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

NOT_CONNECTED = Rejection("unauthorized", "`connect` comes first", "op")
IN_FLIGHT_WAIT_MS = 100
COUNTED = frozenset({"bad_request", "unsupported", "too_large"})
"""Codes that say the client is wrong in itself; a client of good will gets few of them."""


def handle(command: CommandError, caller: Caller, services: Services) -> None:
    """Answer a command that was wrong before anybody looked at what it means."""
    rejection = Rejection(command.code, command.message, command.field)
    refuse(rejection, command.id, command.op, caller, services)


def refuse(
    rejection: Rejection,
    command_id: int | None,
    op: str | None,
    caller: Caller,
    services: Services,
) -> None:
    """Answer `error`; the tenth mistake in a minute ends the connection (4501)."""
    error: dict[str, Any] = {"op": "error"}
    if command_id is not None:
        error["id"] = command_id
    error |= {"code": rejection.code, "message": rejection.message}
    if rejection.field is not None:
        error["field"] = rejection.field
    error["retryable"] = rejection.retryable
    if rejection.retry_after_ms is not None:
        error["retry_after_ms"] = rejection.retry_after_ms
    if command_id is None and op is not None:
        error["for"] = op
    # What a client made up must not become the name of a metric.
    counted = "unknown" if rejection.code == "unsupported" else op or "none"
    services.metrics.commands[counted, rejection.code] += 1
    delivery = services.delivery
    if delivery.message_log is not None:
        reason = rejection.message
        delivery.message_log.refused(op, command_id, rejection.code, reason, caller)
    delivery.answer(caller, error)
    if rejection.code in COUNTED and services.rates.too_many_mistakes(caller.conn):
        code = services.close_codes["BAD_REQUEST"]
        delivery.close(caller, code, "too many mistakes in a minute")


def refuse_by_state(
    rejection: Rejection,
    command_id: int | None,
    op: str,
    caller: Caller,
    services: Services,
) -> None:
    """Refuse because of what has been written: when that is durable (I2).

    A client gives up what is refused for good. If a crash then took back the removal for which it
    was refused, it would have been refused for nothing. Those that wait count as in flight (I8).
    """
    delivery, bound = services.delivery, services.settings.limits.sends_in_flight
    group = delivery.journal.barrier()
    if group is None:
        refuse(rejection, command_id, op, caller, services)
    elif caller.conn != SERVER and len(delivery.open_ids(caller.conn)) >= bound:
        refuse(in_flight(bound), command_id, op, caller, services)
    else:
        delivery.open_id(group.payload, caller.conn, command_id or 0)
        delivery.when_durable(partial(refuse, rejection, command_id, op, caller, services))


def in_flight(bound: int) -> Rejection:
    """So many commands of a connection wait for the disk already."""
    message = f"{bound} sends are in flight"
    return Rejection("rate_limited", message, retryable=True, retry_after_ms=IN_FLIGHT_WAIT_MS)
