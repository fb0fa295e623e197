"""`heartbeat`: another interval, or another driver, for this connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.delivery import encode
from hivewire.handlers.errors import NOT_CONNECTED, refuse
from hivewire.handlers.granted import Granted

if TYPE_CHECKING:
    from hivewire.core.commands import Heartbeat, HeartbeatWish
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Heartbeat, caller: Caller, services: Services) -> None:
    """Grant what fits between the bounds, and answer what was granted."""
    if caller.user is None:
        refuse(NOT_CONNECTED, command.id, "heartbeat", caller, services)
        return
    granted = grant(command, services)
    answer = {"op": "heartbeat", "id": command.id, **granted.to_dict()}
    delivery = services.delivery
    services.metrics.commands["heartbeat", "ok"] += 1
    delivery.now.append(
        (delivery.ops.heartbeat, caller.conn, encode(caller.encoding, answer), *granted)
    )


def grant(wish: Heartbeat | HeartbeatWish | None, services: Services) -> Granted:
    """What a client gets that asks for `wish`: its interval clamped, the node's own time-out."""
    if wish is None:
        return services.usual_heartbeat
    ours = services.settings.heartbeat
    shortest, longest = services.heartbeat_range
    interval = ours.interval
    if wish.interval_ms is not None:
        interval = min(max(wish.interval_ms, shortest), longest)
    return Granted(interval, ours.timeout, wish.from_ == "client")
