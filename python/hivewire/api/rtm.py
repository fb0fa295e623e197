"""`rtm.send` and `rtm.receive`: a message each, for those who know nothing of timelines."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hivewire.api.access import device_of
from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.shapes import CHARACTERS, Count, Key, UserId, Wait
from hivewire.core.limits import HISTORY_EVENTS, POSITION
from hivewire.core.names import parse_target
from hivewire.delivery.heads import open_topic

if TYPE_CHECKING:
    from hivewire.api.context import Context

RECEIVED: Final = 50
"""Messages of one `rtm.receive` that names no limit, and events that are looked at together."""

TargetId = Annotated[
    str,
    Meta(
        pattern=rf"^((user|group|channel):)?{CHARACTERS}{{1,64}}$",
        description="A user's id, `group:G` or `channel:C`.",
        examples=["bob", "group:team"],
    ),
]


class RtmSend(Struct):
    """A message to somebody."""

    source: UserId = msgspec.field(name="sourceID")
    target: TargetId = msgspec.field(name="targetID")
    text: str | None = None
    encoded: Annotated[str, Meta(description="A file's bytes as base64.")] | None = msgspec.field(
        name="encodedMedia", default=None
    )
    key: Key | None = None


class RtmSent(Struct):
    """It is on stable storage."""

    sequence: str = msgspec.field(name="sequenceID")
    n: int
    seq: int | None
    """None in a channel."""
    ts: int
    dup: bool


class RtmReceive(Struct):
    """What was exchanged with somebody since."""

    source: UserId = msgspec.field(name="sourceID")
    target: TargetId = msgspec.field(name="targetID")
    last: Annotated[str, Meta(description="`lastPos` of the answer before.")] | UnsetType = (
        msgspec.field(name="lastPos", default=UNSET)
    )
    limit: Count = RECEIVED
    wait: Wait = 0


class RtmMessage(Struct):
    """A message."""

    sequence: str = msgspec.field(name="sequenceID")
    text: str | None
    media: str | None = msgspec.field(name="mediaURL")
    from_: str = msgspec.field(name="from")
    ts: int


class RtmReceived(Struct):
    """Messages in their order, and from where to go on."""

    messages: list[RtmMessage]
    last: str = msgspec.field(name="lastPos")


class _Event(Struct):
    """What is shown of an event of a conversation."""

    type: str
    n: int
    from_: str = msgspec.field(name="from")
    ts: int
    text: str | None = None
    media: list[str] | None = None
    recalled: int | None = None


class _History(Struct):
    items: list[_Event]
    done: bool


_sent = msgspec.json.Decoder(dict[str, Any])
_history = msgspec.json.Decoder(_History)


def endpoints(context: Context) -> list[Endpoint]:
    """Both of them."""

    async def send(asked: Asked) -> RtmSent:
        return await send_one(asked, context)

    async def receive(asked: Asked) -> RtmReceived:
        return await Receiver(asked, context).receive()

    refuses = ("forbidden", "rate_limited", "unavailable")
    return [
        Endpoint(
            *("POST", "/api/v1/rtm.send", "Send a message; answered when it is durable."),
            *(send, Who.USER, RtmSend, RtmSent),
            refuses=(*refuses, "conflict", "unsupported"),
        ),
        Endpoint(
            *("GET", "/api/v1/rtm.receive", "What two have exchanged since, or wait for more."),
            *(receive, Who.USER, RtmReceive, RtmReceived),
            refuses=(*refuses, "conflict"),
        ),
    ]


async def send_one(asked: Asked, context: Context) -> RtmSent:
    """Store a message. Raises ApiError."""
    wanted: RtmSend = asked.values
    user = source_of(wanted, asked)
    fields: dict[str, Any] = {
        "to": target_of(wanted.target),
        "key": secrets.token_hex(16) if wanted.key is None else wanted.key,
        "text": wanted.text,
    }
    if wanted.encoded is not None:
        fields["media"] = [await store_media(wanted.encoded, user, context)]
    payload = await context.calls.run("send", fields, user, device_of(asked.who, None))
    sent = _sent.decode(payload)
    sequence = f"{sent['conv']}:{sent['n']}"
    return RtmSent(sequence, sent["n"], sent.get("seq"), sent["ts"], sent["dup"])


async def store_media(encoded: str, user: str, context: Context) -> str:
    """Store a file that came inside of a message; its id. Raises ApiError."""
    if context.store_media is None:
        raise ApiError("unsupported", "this node takes no media", field="encodedMedia")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ApiError("bad_request", "`encodedMedia` is no base64", field="encodedMedia") from None
    return await context.store_media(user, content)


def source_of(wanted: RtmSend | RtmReceive, asked: Asked) -> str:
    """Who asks, which the request has to say too. Raises ApiError (403) for another one."""
    if wanted.source != asked.user:
        raise ApiError("forbidden", "`sourceID` is not the token's user", field="sourceID")
    return asked.user


def target_of(target: str) -> str:
    """`targetID` as `send` has it. Raises ApiError."""
    to = target if ":" in target else f"user:{target}"
    if to.startswith("direct:") or parse_target(to, "me") is None:
        raise ApiError("bad_request", "`targetID` is malformed", field="targetID")
    return to


class Receiver:
    """One `rtm.receive`."""

    def __init__(self, asked: Asked, context: Context) -> None:
        wanted: RtmReceive = asked.values
        self._context = context
        self._user = source_of(wanted, asked)
        self._device = device_of(asked.who, None)
        target = parse_target(target_of(wanted.target), self._user)
        self._conv = "" if target is None else target.conv
        self._limit = min(wanted.limit, HISTORY_EVENTS)
        self._wait_s = min(wanted.wait, context.settings.api.poll_time / 1000)
        self._epoch = context.services.view.store.epoch
        self._last = self._position(wanted.last)

    async def receive(self) -> RtmReceived:
        """The next messages; with `wait`, as soon as there are any. Raises ApiError."""
        messages = await self._read()
        if messages or not self._wait_s > 0:
            return self._answer(messages)
        until = asyncio.get_running_loop().time() + self._wait_s
        what = ("receive", self._conv)
        with self._context.polls.poll(self._user, what, open_topic(self._conv)) as poll:
            while True:
                poll.arm()
                messages = await self._read()
                if messages or not await poll.wait(until):
                    return self._answer(messages)

    async def _read(self) -> list[_Event]:
        """The next messages; `_last` moves behind what was looked at."""
        chunk = max(self._limit, RECEIVED)
        while True:
            fields = {"conv": self._conv, "after": self._last, "limit": chunk}
            payload = await self._context.calls.run("history", fields, self._user, self._device)
            found = _history.decode(payload)
            messages = [one for one in found.items if one.type == "message" and not one.recalled]
            if len(messages) > self._limit:
                del messages[self._limit :]
                self._last = messages[-1].n
            elif found.items:
                self._last = found.items[-1].n
            if messages or found.done:
                return messages

    def _answer(self, messages: list[_Event]) -> RtmReceived:
        url = self._context.media_url
        shown = [
            RtmMessage(
                f"{self._conv}:{one.n}",
                one.text,
                url(one.media[0]) if one.media else None,
                one.from_,
                one.ts,
            )
            for one in messages
        ]
        return RtmReceived(shown, f"{self._last}.{self._epoch}")

    def _position(self, last: str | UnsetType) -> int:
        """Where to go on. Raises ApiError for what no answer gave, or one of other data."""
        if last is UNSET:
            return 0
        place, _, epoch = last.partition(".")
        if not (place.isascii() and place.isdigit() and len(place) <= 16) or not epoch:
            raise ApiError("bad_request", "`lastPos` is not what an answer gave", field="lastPos")
        if epoch != self._epoch:
            text = "`lastPos` is of data that is no more: begin again without it"
            raise ApiError("conflict", text, field="lastPos")
        return min(int(place), POSITION)
