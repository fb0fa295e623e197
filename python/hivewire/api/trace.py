"""`GET /api/v1/server/trace`: what became of one message, step by step and device by device."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.reached import DeviceTrace, devices
from hivewire.api.shapes import Conv, Count
from hivewire.core import history
from hivewire.core.limits import POSITION
from hivewire.core.listing import peers
from hivewire.core.log import Log
from hivewire.core.names import is_target
from hivewire.push.trail import story
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.api.context import Context
    from hivewire.delivery.trace import Followed

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class TraceQuery(Struct):
    """Which message."""

    conv: Conv
    n: Count


class Step(Struct):
    """Something that happened, and when (milliseconds since the Unix epoch)."""

    step: str
    at: float


class PushTrace(Struct):
    """A step of the push notifications of a message for a recipient.

    `held` (in the outbox, durable with the message), `due` (nobody came, so the device is told),
    `sent` (the request has left), `delivered`, `failed` (it is tried again), `waiting` (`at` is
    when it is due), `cancelled` (`detail` says by what), `unregistered`, `gave up`: a dead letter.
    With `clear` in front: of the push that takes it back.
    """

    step: str
    device: str | None
    at: float | None
    detail: str


class RecipientTrace(Struct):
    """How a member stands to the message."""

    user: str
    seq: int | None
    delivered: bool
    read: bool
    delivered_at: float | None
    read_at: float | None
    devices: list[DeviceTrace]
    pushes: list[PushTrace]
    """In order of time; none where no device of his is registered, or all of it is forgotten."""


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
    own_devices: list[DeviceTrace]
    """The sender's: the one that it was sent with got the answer, the others the message."""
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


async def told(context: Context, asked: str) -> tuple[bool, str]:
    """The same for `hivewire why`: whether a message is there, and the answer as JSON, or why not.

    Args:
        context: The node.
        asked: Conversation and number, with a space between them.
    """
    conv, _, n = asked.partition(" ")
    if not (is_target(conv) and n.isdecimal() and 0 < int(n) <= POSITION):
        return False, f"{asked!r} is no conversation and number"
    try:
        found = await context.calls.read(partial(look, context, conv, int(n)))
    except ApiError as problem:
        return False, problem.message
    return True, msgspec.json.encode(found).decode()


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
        own_devices=own_devices(context, told["from"], followed),
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
    pushes = pushed(context, {user: places[user] for user in marks if user in places}, followed)
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
            pushes=pushes.get(user, []),
        )
        for user, mark in marks.items()
    ]


def own_devices(context: Context, user: str, followed: Followed | None) -> list[DeviceTrace]:
    """The sender's. None where the node itself sent it, or the message is in no timeline of his."""
    if followed is None:
        return []
    seq = dict(followed.message.members).get(user)
    return [] if seq is None else devices(context, user, seq, followed)


def pushed(
    context: Context, places: dict[str, int], followed: Followed | None
) -> dict[str, list[PushTrace]]:
    """By user: the steps of his pushes."""
    pusher = context.services.push
    if pusher is None or followed is None:
        return {}
    told = story(context.services.view.store, pusher.trail, places)
    return {
        user: [
            PushTrace(
                step=note.step,
                device=note.device or None,
                at=float(note.at) if note.at is not None else round(followed.record.synced, 3),
                detail=note.said,
            )
            for note in notes
        ]
        for user, notes in told.items()
    }
