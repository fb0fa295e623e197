"""Refusals: the `error` object, and what becomes of a peer that does little else than be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core.entries import Rejection

if TYPE_CHECKING:
    from hivewire.core.commands import CommandError
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

NOT_CONNECTED = Rejection("unauthorized", "`connect` comes first", "op")
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
