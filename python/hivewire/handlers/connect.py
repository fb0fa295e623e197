"""`connect`: who this is, from where it goes on, and what it is granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire.auth import Identity, Refused, check_ticket, mint_ticket
from hivewire.core.entries import Rejection
from hivewire.core.plan import plan_connect
from hivewire.delivery import JSON, MSGPACK, encode
from hivewire.handlers.errors import refuse
from hivewire.handlers.heartbeat import Granted, grant
from hivewire.handlers.sync import read_page

if TYPE_CHECKING:
    from hivewire.core.commands import Connect
    from hivewire.core.plan import ConnectPlan
    from hivewire.core.timeline import Page
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

CONNECTED_ALREADY = Rejection("bad_request", "this connection has connected already", "op")
NO_DEVICE = Rejection("bad_request", "`device` is missing", "device")
NO_TOKEN = Rejection("unauthorized", "a token or a ticket is needed", "token")
STALE_TICKET = "the ticket is stale or not for this device"


class Accepted(NamedTuple):
    """A `connect` that is in order, on its way to its answer."""

    command_id: int
    identity: Identity
    device: str
    plan: ConnectPlan
    granted: Granted
    sync: int | None


def handle(command: Connect, caller: Caller, services: Services) -> None:
    """Judge the token, decide the cursor, answer `connected` when that cursor is durable.

    Until then the connection's next command waits: it may need what is being decided.
    """
    if caller.user is not None:
        refuse(CONNECTED_ALREADY, command.id, "connect", caller, services)
        return
    identity = identify(command, caller, services)
    if identity is None:
        return
    device = command.device or identity.device
    if device is None:
        refuse(NO_DEVICE, command.id, "connect", caller, services)
        return
    if not admit(identity, device, command, caller, services):
        return
    epoch = services.view.store.epoch
    plan = plan_connect(command, identity.user, device, services.view, services.now_ms, epoch)
    granted = grant(command.heartbeat, services)
    accepted = Accepted(command.id, identity, device, plan, granted, command.sync)
    if plan.entry is not None:
        services.delivery.device(plan.entry)

    def answer() -> None:
        finish(accepted, caller, services)
        services.resume(caller)

    caller.busy = True
    caller.user, caller.device = identity.user, device
    services.connecting.setdefault(identity.user, []).append((device, caller.conn))
    services.replace(identity.user, device, caller.conn)
    # From here on every message gets a MessagePack twin: it may be released after `connected`.
    services.delivery.msgpack_sessions += caller.encoding == MSGPACK
    services.delivery.when_durable(answer)


def identify(command: Connect, caller: Caller, services: Services) -> Identity | None:
    """Whose connection this is; None when it has been refused and is being closed."""
    codes, delivery = services.close_codes, services.delivery
    now = services.now_ms // 1000
    token = caller.token or command.token
    try:
        if token is not None:
            return services.verifier.verify(token, now)
        if command.ticket is not None:
            ticket = check_ticket(services.ticket_secret, command.ticket, now)
            return Identity(ticket.user, ticket.device, ticket.expires)
    except Refused as refused:
        services.metrics.commands["connect", "unauthorized"] += 1
        if token is None:
            delivery.close(caller, codes["EXPIRED"], STALE_TICKET)
        else:
            delivery.close(caller, codes["BAD_TOKEN"], str(refused))
        return None
    refuse(NO_TOKEN, command.id, "connect", caller, services)
    delivery.close(caller, codes["BAD_TOKEN"], Refused.TEXT)
    return None


def admit(
    identity: Identity, device: str, command: Connect, caller: Caller, services: Services
) -> bool:
    """Whether this user may connect with this device now; if not, the connection is closed."""
    codes, delivery = services.close_codes, services.delivery
    if identity.device is not None and identity.device != device:
        by_ticket = caller.token is None and command.token is None
        code = codes["EXPIRED"] if by_ticket else codes["FORBIDDEN"]
        delivery.close(caller, code, "bound to another device")
        return False
    user = identity.user
    # Those count too that the engine does not know yet: a hundred may come in one turn.
    coming = {name for name, _ in services.connecting.get(user, ())}
    devices = {*services.devices(user), *services.connected.get(user, ()), *coming}
    if device not in devices and len(devices) >= services.settings.limits.devices:
        delivery.close(caller, codes["TOO_MANY_CONNECTIONS"], "too many devices are connected")
        return False
    return True


def finish(accepted: Accepted, caller: Caller, services: Services) -> None:
    """Answer `connected`; the position is the cursor, or the end of the first page."""
    plan, identity, device = accepted.plan, accepted.identity, accepted.device
    delivery = services.delivery
    head = services.view.user(identity.user, plan.cursor).durable
    found = None
    if accepted.sync is not None:
        found = read_page(identity.user, plan.cursor, max(accepted.sync, 1), services)
    position = plan.cursor if found is None else found.next
    payload = connected(accepted, head, found, caller, services)
    expires = identity.expires
    if expires * 1000 <= services.now_ms:
        # Within the leeway: it may stay as long as the leeway lasts.
        expires += services.settings.auth.leeway // 1000
    caller.weight += len(payload)
    caller.busy = False
    services.connected.setdefault(identity.user, {})[device] = caller.conn
    services.replace(identity.user, device, caller.conn)
    connecting = services.connecting[identity.user]
    connecting.remove((device, caller.conn))
    if not connecting:
        del services.connecting[identity.user]
    services.metrics.commands["connect", "ok"] += 1
    delivery.now.append(
        (
            delivery.ops.connected,
            caller.conn,
            payload,
            identity.user,
            device,
            position,
            position == head,
            expires,
            *accepted.granted,
        )
    )


def connected(
    accepted: Accepted, head: int, found: Page | None, caller: Caller, services: Services
) -> bytes:
    """The whole `connected` object (protocol, section 3)."""
    if caller.encoding != JSON:
        answer = connected_fields(accepted, head, caller, services)
        return encode(
            caller.encoding, answer if found is None else answer | {"page": found.to_dict()}
        )
    answer = connected_json(accepted, head, caller, services)
    # The events of a page are JSON already: they go in as they are.
    return answer if found is None else b'%b,"page":{%b}' % (answer[:-1], found.json_fields())


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
        "session": f"{caller.conn:x}",
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
    plan, identity = accepted.plan, accepted.identity
    return _CONNECTED % (
        accepted.command_id,
        identity.user.encode(),
        accepted.device.encode(),
        b"true" if plan.new_device else b"false",
        b"true" if plan.reset else b"false",
        caller.conn,
        services.epoch_json,
        head,
        plan.cursor,
        plan.trimmed_before,
        accepted.granted.interval_ms,
        accepted.granted.timeout_ms,
        b"client" if accepted.granted.from_client else b"server",
        services.limits_json,
        services.now_ms,
        identity.expires * 1000,
        ticket_for(accepted, services).encode(),
        services.node_json,
    )


_CONNECTED = (
    b'{"op":"connected","id":%d,"user":"%b","device":"%b","new_device":%b,"reset":%b,'
    b'"session":"%x","epoch":%b,"head":%d,"cursor":%d,"trimmed_before":%d,'
    b'"heartbeat":{"interval_ms":%d,"timeout_ms":%d,"from":"%b"},"limits":%b,'
    b'"server_time":%d,"token_expires":%d,"ticket":"%b","node":%b}'
)


def ticket_for(accepted: Accepted, services: Services) -> str:
    """What the device may come back with instead of its token."""
    identity, now = accepted.identity, services.now_ms // 1000
    secret = services.ticket_secret
    return mint_ticket(secret, identity.user, accepted.device, identity.expires, now)
