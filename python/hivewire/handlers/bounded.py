"""How many commands a connection may give that have no rate of their own.

Sends and changes are counted where they are planned (`send.limited`), since a resend is never
refused; acks and pings cost next to nothing and keep a line alive; a page is given when the one
before was read. Everything else is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core.entries import Rejection
from hivewire.delivery.caller import SERVER
from hivewire.handlers.errors import refuse
from hivewire.handlers.rates import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

    Handle = Callable[[Any, Caller, Services], None]


def bounded(handle: Handle) -> Handle:
    """The same verb under `limits.queries_per_second`."""

    def within(
        command: Any,  # noqa: ANN401 - any command with an `id`
        caller: Caller,
        services: Services,
    ) -> None:
        if caller.conn == SERVER:
            handle(command, caller, services)
            return
        verdict, wait = services.rates.query(caller.conn)
        if verdict is Verdict.GOOD:
            handle(command, caller, services)
            return
        op = str(command.__struct_config__.tag)
        refusal = Rejection("rate_limited", "too many", retryable=True, retry_after_ms=wait)
        refuse(refusal, command.id, op, caller, services)
        if verdict is Verdict.FLOOD:
            code = services.close_codes["RATE_LIMITED"]
            services.delivery.close(caller, code, "far too many commands")

    return within
