"""`connected`: all that a device is told when it has come in (protocol, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hivewire.auth import Identity, mint_ticket
from hivewire.core import events
from hivewire.core.commands import RecentWish
from hivewire.core.limits import LISTED_CONVERSATIONS, LISTED_MESSAGES, RECENT_BYTES
from hivewire.core.listing import listing
from hivewire.core.plan import ConnectPlan
from hivewire.delivery import JSON, encode
from hivewire.following import connection_id
from hivewire.handlers.granted import Granted

if TYPE_CHECKING:
    from hivewire.core.timeline import Page
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


class Accepted(Struct):
    """A `connect` that is in order, on its way to its answer."""

    command_id: int
    identity: Identity
    device: str
    plan: ConnectPlan
    granted: Granted
    sync: int | None
    recent: RecentWish | None


def connected(
    accepted: Accepted, head: int, found: Page | None, caller: Caller, services: Services
) -> bytes:
    """The whole `connected` object (protocol, section 3)."""
    wish = accepted.recent
    recent = None if wish is None else recent_of(wish, accepted.identity.user, caller, services)
    if caller.encoding != JSON:
        answer = connected_fields(accepted, head, caller, services)
        if found is not None:
            answer["page"] = found.to_dict()
        if recent is not None:
            answer["recent"] = recent
        if services.push is not None:
            answer["push"] = services.push.offer
        return encode(caller.encoding, answer)
    text = connected_json(accepted, head, caller, services)
    # The events of a page are JSON already: they go in as they are.
    if found is not None:
        text = b'%b,"page":{%b}' % (text[:-1], found.json_fields())
    if recent is not None:
        text = b'%b,"recent":%b}' % (text[:-1], encode(JSON, recent))
    if services.push is not None:
        text = b'%b,"push":%b}' % (text[:-1], services.push.offer_json)
    return text


def recent_of(wish: RecentWish, user: str, caller: Caller, services: Services) -> dict[str, Any]:
    """The newest conversations, as `conversations` has them."""
    shown = events.raw if caller.encoding == JSON else events.decode
    items, following = listing(
        services.view,
        user,
        min(wish.conversations, LISTED_CONVERSATIONS),
        None,
        min(wish.messages, LISTED_MESSAGES),
        shown=shown,
        max_bytes=RECENT_BYTES,
    )
    return {"items": items, "next": following}


def connected_fields(
    accepted: Accepted, head: int, caller: Caller, services: Services
) -> dict[str, Any]:
    """The fields of `connected` in their order, without the page."""
    plan, identity = accepted.plan, accepted.identity
    return {
        "op": "connected",
        "id": accepted.command_id,
        "user": identity.user,
        "device": accepted.device,
        "new_device": plan.new_device,
        "reset": plan.reset,
        "session": connection_id(caller.conn),
        "epoch": services.view.store.epoch,
        "head": head,
        "cursor": plan.cursor,
        "trimmed_before": plan.trimmed_before,
        "heartbeat": accepted.granted.to_dict(),
        "limits": services.limits,
        "server_time": services.now_ms,
        "token_expires": identity.expires * 1000,
        "ticket": ticket_for(accepted, services),
        "node": services.settings.node.name,
    }


def connected_json(accepted: Accepted, head: int, caller: Caller, services: Services) -> bytes:
    """The same as JSON, half the time of encoding it: names and tickets need no escapes."""
    plan, identity, granted = accepted.plan, accepted.identity, accepted.granted
    return services.connected_format % (
        accepted.command_id,
        identity.user.encode(),
        accepted.device.encode(),
        b"true" if plan.new_device else b"false",
        b"true" if plan.reset else b"false",
        connection_id(caller.conn).encode(),
        head,
        plan.cursor,
        plan.trimmed_before,
        granted.interval_ms,
        granted.timeout_ms,
        b"client" if granted.from_client else b"server",
        services.now_ms,
        identity.expires * 1000,
        ticket_for(accepted, services).encode(),
    )


def ticket_for(accepted: Accepted, services: Services) -> str:
    """What the device may come back with instead of its token."""
    identity, now = accepted.identity, services.now_ms // 1000
    secret = services.ticket_secret
    since = services.verifier.revocations.since(identity.user)
    return mint_ticket(secret, identity.user, accepted.device, identity.expires, now, since)
