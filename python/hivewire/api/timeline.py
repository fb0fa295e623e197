"""The timeline without a WebSocket: `events`, and what a client shows beside it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from hivewire.api.access import device_of
from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.shapes import Conv, Count, DeviceId, History, Listing, Page, Place, Wait
from hivewire.core.commands import Connect
from hivewire.core.names import is_name
from hivewire.core.plan import plan_connect

if TYPE_CHECKING:
    from hivewire.api.context import Context

PAGE: Final = 100
"""Events of one answer that names no limit."""
EMPTY: Final = b'{"op":"page","events":[]'
"""How a page begins in which nothing is."""

After = Annotated[
    Place, Meta(description="Events behind this `seq`; acknowledges all up to it for the device.")
]


class EventsQuery(Struct):
    """The next page of the timeline."""

    after: After | UnsetType = UNSET
    limit: Count = PAGE
    wait: Wait = 0
    device: DeviceId | UnsetType = UNSET


class ConversationsQuery(Struct):
    """The user's conversations."""

    limit: Count = 50
    before: str | UnsetType = UNSET
    messages: Place = 0


class HistoryQuery(Struct):
    """Events of a conversation."""

    conv: Conv
    before: Place | UnsetType = UNSET
    after: Place | UnsetType = UNSET
    limit: Count = 50


class Discovered(Struct):
    """Where to connect."""

    url: str
    node: str


def endpoints(context: Context) -> list[Endpoint]:
    """What a user's client asks for."""

    async def events(asked: Asked) -> bytes:
        return await next_page(asked, context)

    async def conversations(asked: Asked) -> bytes:
        return await ask("conversations", asked, context)

    async def history(asked: Asked) -> bytes:
        return await ask("history", asked, context)

    async def discover(asked: Asked) -> Discovered:
        name = context.settings.node.name
        return Discovered(edge_url(asked.request.url.hostname, context), name)

    busy = ("rate_limited", "unavailable")
    return [
        Endpoint(
            *("GET", "/api/v1/events", "The timeline by long poll; `after` acknowledges."),
            *(events, Who.USER, EventsQuery, Page),
            refuses=("forbidden", *busy),
        ),
        Endpoint(
            *("GET", "/api/v1/conversations", "Conversations, the newest first."),
            *(conversations, Who.USER, ConversationsQuery, Listing),
            refuses=busy,
        ),
        Endpoint(
            *("GET", "/api/v1/history", "Events of a conversation, both ways."),
            *(history, Who.USER, HistoryQuery, History),
            refuses=("forbidden", *busy),
        ),
        Endpoint(
            *("GET", "/api/v1/discover", "Where this user should connect."),
            *(discover, Who.USER, None, Discovered),
            refuses=("unavailable",),
        ),
    ]


async def ask(op: str, asked: Asked, context: Context) -> bytes:
    """A question as on a WebSocket, and its answer. Raises ApiError."""
    values = asked.values
    fields = {name: getattr(values, name) for name in values.__struct_fields__}
    given = {name: value for name, value in fields.items() if value is not UNSET}
    return await context.calls.run(op, given, asked.user, device_of(asked.who, None))


async def next_page(asked: Asked, context: Context) -> bytes:
    """The page behind `after`; with `wait`, as soon as it holds anything. Raises ApiError."""
    query: EventsQuery = asked.values
    wanted = None if query.device is UNSET else query.device
    user, device = asked.user, device_of(asked.who, wanted)
    if not is_name(device):
        raise ApiError("bad_request", "`device` is malformed", field="device")
    after = query.after
    if after is UNSET:
        after = await begin(user, device, context)
    fields = {"after": after, "limit": query.limit}
    wait_s = min(query.wait, context.settings.api.poll_time / 1000)
    read = partial(context.calls.run, "sync", fields, user, device)
    if not wait_s > 0:
        return with_epoch(await read(), context)
    until = asyncio.get_running_loop().time() + wait_s
    with context.polls.poll(user, ("events", device)) as poll:
        while True:
            poll.arm()
            page = await read()
            if not page.startswith(EMPTY) or not await poll.wait(until):
                return with_epoch(page, context)


async def begin(user: str, device: str, context: Context) -> int:
    """The cursor from which a device goes on that names none: the stored one, or the head."""
    delivery, view = context.services.delivery, context.services.view
    cursor = 0

    def plan() -> None:
        nonlocal cursor
        wish = Connect(id=1, device=device)
        planned = plan_connect(wish, user, device, view, context.clock_ms(), view.store.epoch)
        cursor = planned.cursor
        if planned.entry is not None:
            delivery.device(planned.entry)

    return await context.calls.read(lambda: cursor, plan)


def with_epoch(page: bytes, context: Context) -> bytes:
    """A page that says of which incarnation of the data it is."""
    return b'%b,"epoch":"%b"}' % (page[:-1], context.services.view.store.epoch.encode())


def edge_url(asked_host: str | None, context: Context) -> str:
    """Where the WebSocket is, as a client reaches it."""
    if context.settings.api.edge_url:
        return context.settings.api.edge_url
    host, _, port = context.edge().rpartition(":")
    host = host.strip("[]")
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = asked_host or "localhost"
    scheme = "ws" if context.settings.edge.tls_cert is None else "wss"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/v1/ws"
