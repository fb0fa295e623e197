"""`refresh`: a newer token for a connection that stays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hivewire.auth import Identity, Refused, mint_ticket
from hivewire.core.entries import Rejection
from hivewire.delivery import encode
from hivewire.handlers import admission
from hivewire.handlers.errors import NOT_CONNECTED, refuse
from hivewire.hooks.values import Credentials

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
    hooks, then = services.hooks, partial(judge, command, caller, services)
    if hooks is not None and hooks.authenticates:
        credentials = Credentials(command.token, device)
        admission.authenticate(hooks, credentials, caller, services, then)
    else:
        admission.verify(command.token, caller, services, then)


def judge(
    command: Refresh, caller: Caller, services: Services, word: Identity | Rejection | None
) -> None:
    """Answer to whom the token belongs; None: to nobody."""
    if not isinstance(word, Identity):
        refuse(word or REFUSED, command.id, "refresh", caller, services)
        return
    renew(word, command, caller, services)


def renew(identity: Identity, command: Refresh, caller: Caller, services: Services) -> None:
    """Move the expiry to that of the token, if it is this user's and good for this device."""
    user, device, now = str(caller.user), str(caller.device), services.now_ms // 1000
    if identity.user != user or identity.device not in (None, device):
        refuse(ANOTHER, command.id, "refresh", caller, services)
        return
    expires, since = identity.expires, services.verifier.revocations.since(user)
    answer = {
        "op": "ok",
        "id": command.id,
        "token_expires": expires * 1000,
        "ticket": mint_ticket(services.ticket_secret, user, device, expires, now, since),
    }
    until, delivery = admission.stays_until(expires, services), services.delivery
    services.metrics.commands["refresh", "ok"] += 1
    payload = encode(caller.encoding, answer)
    delivery.now.append((delivery.ops.refresh, caller.conn, payload, until))
