"""`watch`: who is there, now and from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.entries import Rejection
from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import Watch
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Watch, caller: Caller, services: Services) -> None:
    """Answer each one's state when what it rests on is durable (I2); changes come as pushes.

    Until then the connection's next command waits: it may be the `unwatch`.
    """
    if caller.user is None:
        refuse(NOT_CONNECTED, command.id, "watch", caller, services)
        return

    def answer() -> None:
        caller.busy = False
        finish(command, caller, services)
        services.resume(caller)

    caller.busy = True
    services.delivery.when_durable(answer)


def finish(command: Watch, caller: Caller, services: Services) -> None:
    """Watch, and answer how those users are."""
    # A connection that is gone would watch for ever.
    if caller.user is None or caller.gone:
        return
    # So that the engine knows those who got `connected` a moment ago.
    services.delivery.flush()
    changes = services.presence.watch(
        caller.conn, caller.user, caller.encoding, command.users, services.rates.now
    )
    if isinstance(changes, Rejection):
        refuse(changes, command.id, "watch", caller, services)
        return
    services.metrics.commands["watch", "ok"] += 1
    answer = {"op": "presence", "id": command.id, "changes": changes}
    services.delivery.answer(caller, answer)
