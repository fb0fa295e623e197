"""An endpoint: what it takes, who may call it, what it gives; and the way of every request.

`route` is that way: who calls, then what is asked, then the answer. So nothing of a stranger's
request is read but its head.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from hivewire.api.errors import ApiError, answer
from hivewire.api.request_ids import USER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from hivewire.api.context import Context
    from hivewire.auth import Identity

    Handle = Callable[["Asked"], Awaitable[Any]]

JSON_TYPE: Final = "application/json"
DRAINING: Final = ApiError("unavailable", "the node goes down", retryable=True)
_encode = msgspec.json.Encoder().encode
_field = re.compile(r"(.*) - at `\$\.(\w+)").match
_missing = re.compile(r"Object missing required field `(\w+)`").match


class Who(Enum):
    """Who may call."""

    ANYONE = "anyone"
    USER = "user"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in order: its caller is known, and what it asks is well-formed."""

    request: Request
    values: Any
    """`Endpoint.takes`, filled."""
    identity: Identity | None

    @property
    def user(self) -> str:
        """The user who calls. Only where the endpoint is for users."""
        return self.who.user

    @property
    def who(self) -> Identity:
        """The same with device and expiry."""
        if self.identity is None:
            raise TypeError("this endpoint is not for users")
        return self.identity


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the api, as `route` serves it and `/openapi.json` tells it.

    `handle` gives bytes (JSON already), a `Response`, or anything that msgspec encodes.
    """

    method: str
    path: str
    summary: str
    handle: Handle
    who: Who
    takes: Any = None
    """A msgspec Struct: the query of a GET, else the JSON body. None: nothing is read."""
    gives: Any = None
    """What the answer is, for the document. None: no JSON."""
    refuses: tuple[str, ...] = ()
    """Error codes that it may answer besides those of `route` itself, for the document."""
    statuses: Mapping[int, str] = field(default_factory=dict[int, str])
    """Further statuses, each with its sentence, for the document."""
    raw_body: bool = False
    """Whether `handle` itself reads the body, which may be anything; for the document."""
    media_type: str = JSON_TYPE
    """Of the answer, for the document."""


def route(endpoint: Endpoint, context: Context) -> Route:
    """The endpoint as Starlette serves it."""
    decode = None if endpoint.takes is None else reader(endpoint, context)
    requests = context.metrics.requests

    async def serve(request: Request) -> Response:
        try:
            identity = await admit(endpoint, request, context)
            if identity is not None:
                request.scope[USER] = identity.user
            values = None if decode is None else await decode(request)
            found = await endpoint.handle(Asked(request, values, identity))
            response = found if isinstance(found, Response) else json(found)
        except ApiError as error:
            response = answer(error)
        requests[endpoint.path, response.status_code] += 1
        return response

    return Route(endpoint.path, serve, methods=[endpoint.method])


async def admit(endpoint: Endpoint, request: Request, context: Context) -> Identity | None:
    """Who calls, if a user; a node that goes down takes nothing new. Raises ApiError."""
    if endpoint.who is Who.ANYONE:
        return None
    if context.calls.draining:
        raise DRAINING
    if endpoint.who is Who.SERVER:
        context.access.server(request.headers)
        return None
    return await context.access.user(request.headers)


def reader(endpoint: Endpoint, context: Context) -> Callable[[Request], Awaitable[Any]]:
    """What makes `takes` of a request."""
    kind, limits = endpoint.takes, context.settings.api
    if endpoint.method == "GET":

        async def from_query(request: Request) -> Any:  # noqa: ANN401 - `takes`
            given = request.query_params.multi_items()
            values = dict(given)
            if len(values) != len(given):
                raise ApiError("bad_request", "a parameter stands twice in the query")
            return filled(lambda: msgspec.convert(values, kind, strict=False))

        return from_query
    decoder = msgspec.json.Decoder(kind)

    async def from_body(request: Request) -> Any:  # noqa: ANN401 - `takes`
        body = await read_body(request, limits.body_bytes, limits.body_time)
        return filled(lambda: decoder.decode(body))

    return from_body


def filled(convert: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it converts to
    """What `convert` gives. Raises ApiError naming the field that is wrong."""
    try:
        return convert()
    except msgspec.ValidationError as error:
        text = str(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError("bad_request", "the body is no JSON") from None
    missing, wrong = _missing(text), _field(text)
    if missing is not None and wrong is None:
        raise ApiError("bad_request", f"`{missing[1]}` is missing", field=missing[1])
    if wrong is not None:
        # A regular expression explains nothing to anybody.
        reason = "malformed" if "matching regex" in wrong[1] else f"wrong: {wrong[1][:200]}"
        raise ApiError("bad_request", f"`{wrong[2]}` is {reason}", field=wrong[2])
    raise ApiError("bad_request", text[:200])


async def read_body(request: Request, most_bytes: int, most_ms: int) -> bytes:
    """The whole body. Raises ApiError if it is too large, before it is read, or too slow."""
    too_large = ApiError("too_large", f"the body is larger than {most_bytes} bytes")
    if int(request.headers.get("content-length", "0")) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(most_ms / 1000):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise ApiError("bad_request", "the body came too slowly", status=408) from None
    except ClientDisconnect:
        raise ApiError("bad_request", "the body ended early") from None
    return bytes(body)


def json(value: object) -> Response:
    """An answer; bytes are JSON already."""
    body = value if isinstance(value, bytes) else _encode(value)
    return Response(body, media_type=JSON_TYPE)
