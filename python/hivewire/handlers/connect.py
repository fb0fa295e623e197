"""`connect`: who this is, from where it goes on, and what it is granted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hivewire.auth import Identity, Refused, check_ticket
from hivewire.core.entries import Rejection
from hivewire.core.plan import plan_connect
from hivewire.delivery import MSGPACK
from hivewire.following import connection_id
from hivewire.handlers import admission
from hivewire.handlers.channels import follow
from hivewire.handlers.connected import Accepted, connected
from hivewire.handlers.errors import refuse
from hivewire.handlers.heartbeat import grant
from hivewire.handlers.queries import in_pieces
from hivewire.handlers.sync import read_page
from hivewire.hooks.values import Credentials, Session

if TYPE_CHECKING:
    from hivewire.core.commands import Connect
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

CONNECTED_ALREADY = Rejection("bad_request", "this connection has connected already", "op")
NO_DEVICE = Rejection("bad_request", "`device` is missing", "device")
NO_TOKEN = Rejection("unauthorized", "a token or a ticket is needed", "token")
STALE_TICKET = "the ticket is stale or not for this device"


def handle(command: Connect, caller: Caller, services: Services) -> None:
    """Judge the token, decide the cursor, answer `connected` when that cursor is durable.

    Until then the connection's next command waits: it may need what is being decided.
    """
    if caller.user is not None:
        refuse(CONNECTED_ALREADY, command.id, "connect", caller, services)
        return
    token, hooks = caller.token or command.token, services.hooks
    then = partial(judge, command, caller, services)
    if hooks is not None and hooks.authenticates and token is not None:
        credentials = Credentials(token, command.device)
        admission.authenticate(hooks, credentials, caller, services, then)
    elif token is not None:
        admission.verify(token, caller, services, then)
    elif command.ticket is not None:
        come_back(command.ticket, command, caller, services)
    else:
        refuse(NO_TOKEN, command.id, "connect", caller, services)
        delivery, codes = services.delivery, services.close_codes
        delivery.close(caller, codes["BAD_TOKEN"], Refused.TEXT)


def judge(
    command: Connect, caller: Caller, services: Services, word: Identity | Rejection | None
) -> None:
    """Go on with what became of a token."""
    if isinstance(word, Identity):
        enter(word, command, caller, services)
    else:
        admission.shut(word, command.id, caller, services)


def enter(identity: Identity, command: Connect, caller: Caller, services: Services) -> None:
    """Let in a device of a known user, if the limits and the application do."""
    device = command.device or identity.device
    if device is None:
        refuse(NO_DEVICE, command.id, "connect", caller, services)
        return
    if not admit(identity, device, command, caller, services):
        return
    hooks = services.hooks
    if hooks is None or not hooks.keeps_sessions:
        begin(identity, device, command, caller, services)
        return
    session = Session(identity.user, device, connection_id(caller.conn))

    def open_session() -> None:
        # Others of this user may have come in while the application thought about this one.
        if admit(identity, device, command, caller, services):
            hooks.opened(caller.conn, session)
            begin(identity, device, command, caller, services)

    if hooks.greets:
        admission.greet(hooks, session, command.id, caller, services, open_session)
    else:
        open_session()


def begin(
    identity: Identity, device: str, command: Connect, caller: Caller, services: Services
) -> None:
    """Decide the cursor; `connected` goes out when that is durable."""
    epoch = services.view.store.epoch
    plan = plan_connect(command, identity.user, device, services.view, services.now_ms, epoch)
    granted = grant(command.heartbeat, services)
    accepted = Accepted(command.id, identity, device, plan, granted, command.sync, command.recent)
    delivery = services.delivery
    if plan.entry is not None:
        delivery.device(plan.entry)
    caller.user, caller.device = identity.user, device
    # From here on every message gets a MessagePack twin: it may be released after `connected`.
    delivery.msgpack_sessions += caller.encoding == MSGPACK
    if command.sync is None and command.recent is None and delivery.journal.barrier() is None:
        # The usual of a known device: there is nothing to wait for, and nothing to be read.
        finish(accepted, caller, services)
    else:
        finish_when_durable(accepted, caller, services)


def finish_when_durable(accepted: Accepted, caller: Caller, services: Services) -> None:
    """Answer once the cursor, and all that a page may show, is on the disk."""
    user, device, conn = accepted.identity.user, accepted.device, caller.conn

    def answer() -> None:
        finish(accepted, caller, services)
        connecting = services.connecting[user]
        connecting.remove((device, conn))
        if not connecting:
            del services.connecting[user]
        services.resume(caller)

    caller.busy = True
    services.replace(user, device, conn)
    services.connecting.setdefault(user, []).append((device, conn))
    services.delivery.when_durable(partial(in_pieces, answer, services))


def come_back(ticket: str, command: Connect, caller: Caller, services: Services) -> None:
    """Let in who shows a ticket of this node; else he is to come with a token."""
    revocations, now_ms = services.verifier.revocations, services.now_ms
    try:
        found = check_ticket(services.ticket_secret, ticket, now_ms // 1000, revocations)
    except Refused:
        services.metrics.commands["connect", "unauthorized"] += 1
        services.delivery.close(caller, services.close_codes["EXPIRED"], STALE_TICKET)
        return
    enter(Identity(found.user, found.device, found.expires, now_ms), command, caller, services)


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
    if services.verifier.revocations.refuses(identity):
        # It counted when it was looked at, and was revoked while something was waited for.
        delivery.close(caller, codes["BAD_TOKEN"], Refused.TEXT)
        return False
    user = identity.user
    # Those count too that the engine does not know yet: a hundred may come in one turn.
    lines, now, coming = (
        services.devices(user),
        services.connected.get(user, ()),
        services.connecting.get(user, ()),
    )
    limit = services.settings.limits.devices
    if len(lines) + len(now) + len(coming) < limit:
        return True
    devices = {*lines, *now, *(name for name, _ in coming)}
    if device not in devices and len(devices) >= limit:
        delivery.close(caller, codes["TOO_MANY_CONNECTIONS"], "too many devices are connected")
        return False
    return True


def finish(accepted: Accepted, caller: Caller, services: Services) -> None:
    """Answer `connected`; the position is the cursor, or the end of the first page."""
    plan, user, device = accepted.plan, accepted.identity.user, accepted.device
    delivery, conn = services.delivery, caller.conn
    timeline = services.view.user(user, plan.cursor)
    head = timeline.durable
    found = None
    if accepted.sync is not None:
        found = read_page(user, plan.cursor, max(accepted.sync, 1), services)
    position = plan.cursor if found is None else found.next
    payload = connected(accepted, head, found, caller, services)
    expires = admission.stays_until(accepted.identity.expires, services)
    caller.weight += len(payload)
    caller.busy = False
    services.replace(user, device, conn)
    services.connected.setdefault(user, {})[device] = conn
    services.presence.connected(user, device, services.rates.now)
    services.metrics.commands["connect", "ok"] += 1
    kind = "new" if plan.new_device else "reset" if plan.reset else "resumed"
    services.metrics.connects[kind] += 1
    if delivery.connection_log is not None:
        delivery.connection_log.connected(conn, user, device, kind)
    delivery.now.append(
        (
            delivery.ops.connected,
            conn,
            payload,
            user,
            device,
            position,
            position == head,
            expires,
            *accepted.granted,
        )
    )
    follow(timeline, conn, services)
