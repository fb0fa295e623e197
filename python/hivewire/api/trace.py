"""`GET /api/v1/server/trace`: what became of one message, step by step and device by device."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.shapes import Conv, Count
from hivewire.core import history
from hivewire.core.listing import peers
from hivewire.core.log import Log
from hivewire.core.names import is_target
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.api.context import Context
    from hivewire.delivery.trace import Followed

DEVICES: Final = 50
"""Devices of a recipient that are told of."""
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class TraceQuery(Struct):
    """Which message."""

    conv: Conv
    n: Count


class Step(Struct):
    """Something that happened, and when (milliseconds since the Unix epoch)."""

    step: str
    at: float


class DeviceTrace(Struct):
    """How a device stands to the message."""

    device: str
    connected: bool
    cursor: int
    """The place in the user's timeline that it has acknowledged."""
    acked: bool | None
    """Whether that is past the message; null where the place of the message is forgotten."""
    acked_at: float | None


class RecipientTrace(Struct):
    """How a member stands to the message."""

    user: str
    seq: int | None
    delivered: bool
    read: bool
    delivered_at: float | None
    read_at: float | None
    devices: list[DeviceTrace]


class Traced(Struct):
    """A message, and what became of it."""

    conv: str
    n: int
    type: str
    user: str = msgspec.field(name="from")
    ts: int
    key: str | None
    device: str | None
    """That it was sent with; null where that is forgotten."""
    remembered: bool
    """Whether the node still has the times of its steps: those of the newest messages."""
    steps: list[Step]
    recipients: list[RecipientTrace]
    """At most 100; none in a channel, whose readers keep their own place."""


def endpoints(context: Context) -> list[Endpoint]:
    """The one."""
    return [
        Endpoint(
            *("GET", "/api/v1/server/trace", "What became of a message."),
            *(partial(trace, context), Who.SERVER, TraceQuery, Traced),
            ("not_found", "unavailable"),
        )
    ]


async def trace(context: Context, asked: Asked) -> Traced:
    """What memory and store know of a message. Raises ApiError."""
    wanted: TraceQuery = asked.values
    if not is_target(wanted.conv):
        raise ApiError("bad_request", "`conv` is malformed", field="conv")
    return await context.calls.read(partial(look, context, wanted.conv, wanted.n))


def look(context: Context, conv: str, n: int) -> Traced:
    """The answer, when all is durable. Raises ApiError for what is not there."""
    view = context.services.view
    state = view.conversation(conv)
    if state is None or not state.durable:
        raise ApiError("not_found", "there is no such conversation", field="conv")
    if n > state.durable:
        raise ApiError("not_found", f"the conversation ends at {state.durable}", field="n")
    log = Log(keys.prefix(conv), 1, state.durable)
    (event,) = history.after(view.store, log, n - 1, 1).items
    told = _decode(event)
    followed = context.trace.find(conv, n)
    return Traced(
        conv=conv,
        n=n,
        type=told["type"],
        user=told["from"],
        ts=told["ts"],
        key=told.get("key"),
        device=followed.message.device if followed else None,
        remembered=followed is not None,
        steps=steps(followed),
        recipients=[] if state.is_channel else recipients(context, conv, n, told, followed),
    )


def steps(followed: Followed | None) -> list[Step]:
    """What the node did, in its order."""
    if followed is None:
        return []
    record = followed.record
    at = {
        "received": min(record.received, record.begun),
        "accepted": min(float(followed.message.accepted_ms), record.begun),
        "written": record.written,
        "synced": record.synced,
        "queued": record.queued,
    }
    # The wall clock of a turn is read once, and to the millisecond.
    at["accepted"] = max(at["accepted"], at["received"])
    return [Step(name, round(when, 3)) for name, when in at.items()]


def recipients(
    context: Context, conv: str, n: int, told: dict[str, Any], followed: Followed | None
) -> list[RecipientTrace]:
    """Every other member."""
    marks = peers(context.services.view.store, conv, told["from"])
    places = dict(followed.message.members) if followed else {}
    delivered = followed.delivered if followed else {}
    read = followed.read if followed else {}
    return [
        RecipientTrace(
            user=user,
            seq=places.get(user),
            delivered=mark["delivered"] >= n,
            read=mark["read"] >= n,
            delivered_at=delivered.get(user),
            read_at=read.get(user),
            devices=devices(context, user, places.get(user), followed),
        )
        for user, mark in marks.items()
    ]


def devices(
    context: Context, user: str, seq: int | None, followed: Followed | None
) -> list[DeviceTrace]:
    """Every device of a user that the node knows."""
    store = context.services.view.store
    connected = set(context.services.devices(user))
    prefix = keys.prefix(user)
    rows = store.scan(store.columns.cursors, prefix, keys.range_end(prefix), DEVICES)
    found: list[DeviceTrace] = []
    for key, value in rows:
        device = key[len(prefix) :].decode()
        cursor = keys.parse_cursor_value(value).cursor
        acked_at = followed.acked.get((user, device)) if followed else None
        acked = None if seq is None else cursor >= seq
        found.append(DeviceTrace(device, device in connected, cursor, acked, acked_at))
    return found
