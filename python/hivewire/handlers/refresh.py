"""`refresh`: a newer token for a connection that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.auth import Refused, mint_ticket
from hivewire.core.entries import Rejection
from hivewire.delivery import encode
from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import Refresh
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

REFUSED = Rejection("unauthorized", Refused.TEXT, "token")
ANOTHER = Rejection("forbidden", "the token is somebody else's", "token")


def handle(command: Refresh, caller: Caller, services: Services) -> None:
    """Move the connection's expiry; a token of another user or device changes nothing."""
    user, device = caller.user, caller.device
    if user is None or device is None:
        refuse(NOT_CONNECTED, command.id, "refresh", caller, services)
        return
    now = services.now_ms // 1000
    try:
        identity = services.verifier.verify(command.token, now)
    except Refused:
        refuse(REFUSED, command.id, "refresh", caller, services)
        return
    if identity.user != user or identity.device not in (None, device):
        refuse(ANOTHER, command.id, "refresh", caller, services)
        return
    expires = identity.expires
    answer = {
        "op": "ok",
        "id": command.id,
        "token_expires": expires * 1000,
        "ticket": mint_ticket(services.ticket_secret, user, device, expires, now),
    }
    if expires <= now:
        expires += services.settings.auth.leeway // 1000
    delivery = services.delivery
    services.metrics.commands["refresh", "ok"] += 1
    payload = encode(caller.encoding, answer)
    delivery.now.append((delivery.ops.refresh, caller.conn, payload, expires))
