"""Calls of the application's own backend, with the API key: it speaks for any user.

It is under no rates and `on_send` is not asked, as with `App.send`; everything else is as if that
user had said it.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

import hivewire
from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.shapes import (
    Conv,
    Count,
    DeviceId,
    History,
    Key,
    Place,
    Problem,
    Sent,
    Target,
    UserId,
)
from hivewire.auth import KeyProblem, mint_token
from hivewire.core import events, history
from hivewire.core.limits import HISTORY_EVENTS, WATCHED_USERS
from hivewire.core.log import Log
from hivewire.core.names import is_name, is_target
from hivewire.delivery import JSON, Caller
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.api.context import Context
    from hivewire.presence.person import Change

BROADCAST: Final = 500
"""Targets of one broadcast."""
AT_ONCE: Final = 50
"""Of them, those that are planned in one go: they share a commit, and others have their turn."""
DAY_S: Final = 24 * 3600
KICKED: Final = "sent away by the application"


class Body(Struct, kw_only=True):
    """What is said (protocol, section 4): at least one of text, media, data."""

    text: str | None = None
    media: list[str] | None = None
    data: dict[str, Any] | None = None
    reply_to: Count | None = None
    mentions: list[UserId] | None = None


class ServerSend(Body, kw_only=True):
    """A message of a user."""

    from_: UserId = msgspec.field(name="from")
    to: Target
    key: Key


class Broadcast(Body, kw_only=True):
    """The same message to many."""

    from_: UserId = msgspec.field(name="from")
    to: Annotated[list[Target], Meta(min_length=1, max_length=BROADCAST)]
    key: Key


class Told(Struct, omit_defaults=True):
    """What became of a broadcast with one target."""

    to: str
    sent: dict[str, Any] | None = None
    error: Problem | None = None


class Broadcasted(Struct):
    """What became of it with each target, in their order."""

    results: list[Told]


class Disconnect(Struct):
    """Whom to send away (4503): a user's device, or all of them."""

    user: UserId
    device: DeviceId | None = None


class Disconnected(Struct):
    """How many connections were closed."""

    disconnected: int


class PresenceQuery(Struct):
    """Who is there?"""

    users: Annotated[list[UserId], Meta(max_length=WATCHED_USERS)]


class Present(Struct):
    """How a user is, as others see him, and the devices he is connected with."""

    user: str
    state: Literal["online", "away", "offline"]
    last_seen: int | None
    devices: list[str]


class PresenceList(Struct):
    """Each user who was asked for, once."""

    items: list[Present]


class ServerHistory(Struct):
    """Events of any conversation."""

    conv: Conv
    before: Place | None = None
    after: Place | None = None
    limit: Count = 50


class TokenWish(Struct):
    """A token for a user."""

    user: UserId
    device: DeviceId | None = None
    ttl: Annotated[int, Meta(ge=1, le=30 * DAY_S, description="Seconds that it lives.")] = 3600


class Token(Struct):
    """A token, and until when it counts, in milliseconds since the Unix epoch."""

    token: str
    token_expires: int


class Info(Struct):
    """The node."""

    node: str
    version: str
    epoch: str
    server_time: int
    edge: str
    connections: int
    polls: int
    ready: bool
    limits: dict[str, int]


_answer = msgspec.json.Decoder(dict[str, Any])


def endpoints(context: Context) -> list[Endpoint]:
    """All of them but `groups`, in the order of the protocol."""
    late = ("unavailable",)
    refuses = ("forbidden", "conflict", "not_found", *late)
    table: list[tuple[str, str, Any, Any, Any, tuple[str, ...]]] = [
        ("send", "Send a message of a user.", send, ServerSend, Sent, refuses),
        ("broadcast", "Send a message to many.", broadcast, Broadcast, Broadcasted, late),
        ("disconnect", "Send a user away.", disconnect, Disconnect, Disconnected, late),
        ("presence", "Who is there?", presence, PresenceQuery, PresenceList, late),
        ("history", "Read any conversation.", read_history, ServerHistory, History, refuses),
        ("tokens", "A token for a user.", tokens, TokenWish, Token, ("unsupported", *late)),
    ]
    served = [
        Endpoint(
            *("POST", f"/api/v1/server/{name}", summary, partial(handle, context)),
            *(Who.SERVER, takes, gives, refused),
        )
        for name, summary, handle, takes, gives, refused in table
    ]
    about = Endpoint(
        *("GET", "/api/v1/server/info", "The node.", partial(info, context)),
        *(Who.SERVER, None, Info, late),
    )
    return [*served, about]


async def send(context: Context, asked: Asked) -> bytes:
    """A message of any user; answered when it is durable."""
    wanted: ServerSend = asked.values
    fields = body_of(wanted) | {"to": wanted.to, "key": wanted.key}
    return await context.calls.run_trusted("send", fields, named(wanted.from_, "from"))


def body_of(wanted: Body) -> dict[str, Any]:
    """What is said, as `send` has it."""
    return {name: getattr(wanted, name) for name in Body.__struct_fields__}


def named(user: str, field: str) -> str:
    """A user's id. Raises ApiError: the patterns of the document let a line end through."""
    if not is_name(user):
        raise ApiError("bad_request", f"`{field}` is malformed", field=field)
    return user


async def broadcast(context: Context, asked: Asked) -> Broadcasted:
    """A message to each target, each of them durable; what is refused stops no other."""
    wanted: Broadcast = asked.values
    sender, body = named(wanted.from_, "from"), body_of(wanted)

    async def tell(to: str) -> Told:
        fields = body | {"to": to, "key": key_for(wanted.key, to)}
        try:
            sent = await context.calls.run_trusted("send", fields, sender)
        except ApiError as error:
            return Told(to, error=Problem(**error.to_dict()))
        return Told(to, sent=_answer.decode(sent))

    results: list[Told] = []
    for start in range(0, len(wanted.to), AT_ONCE):
        some = wanted.to[start : start + AT_ONCE]
        results += await asyncio.gather(*map(tell, some))
    return Broadcasted(results)


def key_for(key: str, to: str) -> str:
    """The key of one target's message: a broadcast that is sent again makes the same ones."""
    return hashlib.blake2b(f"{key}\0{to}".encode(), digest_size=16).hexdigest()


async def disconnect(context: Context, asked: Asked) -> Disconnected:
    """Close a user's connections with 4503; how many they were."""
    wanted: Disconnect = asked.values
    delivery = context.services.delivery
    code = context.services.close_codes["KICKED"]
    found = [
        (conn, device)
        for conn, device in context.sessions(wanted.user)
        if wanted.device in (None, device)
    ]

    def close() -> None:
        for conn, device in found:
            delivery.close(Caller(conn, wanted.user, device, JSON, None), code, KICKED)

    context.calls.do(close)
    return Disconnected(len(found))


async def presence(context: Context, asked: Asked) -> PresenceList:
    """How users are now, as others see them."""
    wanted: PresenceQuery = asked.values
    users = [named(user, "users") for user in wanted.users]
    services = context.services

    def look() -> list[Change]:
        return services.presence.glance(users)

    changes: list[Change] = await context.calls.read(look)
    shown = msgspec.to_builtins(changes)
    items = [one | {"devices": services.devices(one["user"])} for one in shown]
    return msgspec.convert({"items": items}, PresenceList)


async def read_history(context: Context, asked: Asked) -> bytes:
    """Events of any conversation, all of them, whoever may see them."""
    wanted: ServerHistory = asked.values
    if not is_target(wanted.conv):
        raise ApiError("bad_request", "`conv` is malformed", field="conv")
    if wanted.before is not None and wanted.after is not None:
        raise ApiError("bad_request", "either `before` or `after`", field="after")
    return await context.calls.read(partial(look_back, context, wanted))


def look_back(context: Context, wanted: ServerHistory) -> bytes:
    """The answer, when all is durable. Raises ApiError for what is not there."""
    view = context.services.view
    state = view.conversation(wanted.conv)
    if state is None:
        raise ApiError("not_found", "there is no such conversation", field="conv")
    log = Log(keys.prefix(wanted.conv), 1, state.durable)
    limit = min(wanted.limit, HISTORY_EVENTS)
    if wanted.after is not None:
        found = history.after(view.store, log, wanted.after, limit)
    else:
        found = history.before(view.store, log, wanted.before, limit, tails=view.tails)
    items = [events.raw(item) for item in found.items]
    return events.encode({"op": "history", "items": items, "done": found.done})


async def tokens(context: Context, asked: Asked) -> Token:
    """A token that the node signs itself, where it has the key to."""
    wanted: TokenWish = asked.values
    for name in ("user", "device"):
        value = getattr(wanted, name)
        if value is not None:
            named(value, name)
    # Not before a revocation of this very second, after which it would not count.
    since = context.services.verifier.revocations.since(wanted.user)
    now_s = max(context.clock_ms() // 1000, -(-since // 1000))
    auth = context.settings.auth
    try:
        token = mint_token(auth, wanted.user, wanted.device, ttl=wanted.ttl, now=now_s)
    except KeyProblem as problem:
        raise ApiError("unsupported", str(problem)) from None
    return Token(token, (now_s + wanted.ttl) * 1000)


async def info(context: Context, _asked: Asked) -> Info:
    """The node as it is now."""
    return Info(
        node=context.settings.node.name,
        version=hivewire.__version__,
        epoch=context.services.view.store.epoch,
        server_time=context.clock_ms(),
        edge=context.edge(),
        connections=context.connections(),
        polls=context.polls.open,
        ready=context.why_not_ready() is None,
        limits=context.services.limits,
    )
