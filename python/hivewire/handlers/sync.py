"""`sync`: the next page of what a device has missed, until it is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.timeline import Page, page
from hivewire.delivery import JSON, encode
from hivewire.handlers.ack import move_cursor
from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import Sync
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Sync, caller: Caller, services: Services) -> None:
    """Answer with the page behind `after`, which also acknowledges the one before.

    From here to the page nothing is pushed to this connection, and its next command waits.
    """
    user = caller.user
    if user is None:
        refuse(NOT_CONNECTED, command.id, "sync", caller, services)
        return
    refusal = move_cursor(command.after, "after", caller, services)
    if refusal is not None:
        refuse(refusal, command.id, "sync", caller, services)
        return
    delivery = services.delivery
    services.metrics.commands["sync", "ok"] += 1

    def answer() -> None:
        found = read_page(user, command.after, command.limit, services)
        payload = page_answer(found, command.id, caller.encoding)
        caller.weight += len(payload)
        caller.busy = False
        delivery.now.append((delivery.ops.page, caller.conn, user, payload, found.next, found.done))
        services.resume(caller)

    caller.busy = True
    delivery.now.append((delivery.ops.syncing, caller.conn, user))
    delivery.when_durable(answer)


def read_page(user: str, after: int, limit: int, services: Services) -> Page:
    """A page under this node's limits."""
    limits, metrics = services.settings.limits, services.metrics
    found = page(services.view, user, after, min(limit, limits.page_events), limits.page_bytes)
    metrics.pages += 1
    metrics.page_events += len(found.events)
    return found


def page_answer(found: Page, command_id: int, encoding: int) -> bytes:
    """The whole `page` object."""
    if encoding == JSON:
        return b'{"op":"page","id":%d,%b' % (command_id, found.json_fields())
    return encode(encoding, {"op": "page", "id": command_id, **found.to_dict()})
