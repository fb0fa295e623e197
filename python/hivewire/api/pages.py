"""The pages that a node serves: the demo chat at `/` (only with `--dev`) and `/admin`.

Their files are read once, at start: nothing that a request names is ever looked up on the disk.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from hivewire.api.endpoint import filled, json, read_body
from hivewire.api.errors import ApiError, answer
from hivewire.api.shapes import UserId
from hivewire.api.timeline import edge_url
from hivewire.auth import KeyProblem, mint_token
from hivewire.core.names import is_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

    from hivewire.api.context import Context

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self'; connect-src 'self' {edge}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""What a page may do: run and show what lies beside it, and talk to this node."""
TOKEN_S: Final = 3600
TOKEN_BODY: Final = 4096
OWN_HOST: Final = re.compile(r"localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]").fullmatch
"""A host that no name server decides about: a foreign page cannot have it (DNS rebinding)."""


class Guest(msgspec.Struct):
    """Who somebody wants to be in the demo."""

    user: UserId


def routes(context: Context) -> list[Route]:
    """The pages and their files; the demo only with `--dev`."""
    web = files("hivewire") / "web"
    served = [
        *folder(web / "admin", "/admin", context),
        page(web / "hivewire.js", "/hivewire.js", context),
        page(web / "colours.css", "/colours.css", context),
    ]
    if context.settings.dev:
        served += folder(web / "demo", "/", context)
        served.append(Route("/demo/token", token_route(context), methods=["POST"]))
    return served


def folder(directory: Traversable, at: str, context: Context) -> list[Route]:
    """`index.html` at `at`, the other files below `/<name of the folder>/`."""
    found: list[Route] = []
    for file in directory.iterdir():
        if file.name == "index.html":
            found.append(page(file, at, context))
        elif suffix(file.name) in TYPES:
            found.append(page(file, f"/{directory.name}/{file.name}", context))
    return found


def suffix(name: str) -> str:
    """`.js` of `app.js`."""
    return name[name.rfind(".") :]


def page(file: Traversable, path: str, context: Context) -> Route:
    """One file at one path."""
    body = file.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    media_type = TYPES[suffix(file.name)]
    is_page = media_type == TYPES[".html"]

    async def serve(request: Request) -> Response:
        headers = GUARDS | {"ETag": etag}
        if is_page:
            url = edge_url(request.url.hostname, context)
            headers["Content-Security-Policy"] = POLICY.format(edge=url.rpartition("/v1/")[0])
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media_type, headers=headers)

    return Route(path, serve, methods=["GET"])


def token_route(context: Context) -> Callable[[Request], Awaitable[Response]]:
    """`POST /demo/token`: a token for whoever one wants to be."""
    decoder = msgspec.json.Decoder(Guest)

    async def serve(request: Request) -> Response:
        try:
            refuse_foreign(request)
            body = await read_body(request, TOKEN_BODY, context.settings.api.body_time)
            guest: Guest = filled(lambda: decoder.decode(body))
            return json(welcome(guest.user, request, context))
        except ApiError as error:
            return answer(error)

    return serve


def refuse_foreign(request: Request) -> None:
    """Raise ApiError unless a page of this very listener asks."""
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else re.sub(r":\d+$", "", host)
    origin = request.headers.get("origin", "").partition("://")[2]
    if origin != host or OWN_HOST(name) is None:
        raise ApiError("forbidden", "only the demo page of this node is given tokens")


def welcome(user: str, request: Request, context: Context) -> dict[str, object]:
    """What the demo needs to connect. Raises ApiError."""
    if not is_name(user):
        raise ApiError("bad_request", "`user` is malformed", field="user")
    now_s = context.clock_ms() // 1000
    try:
        token = mint_token(context.settings.auth, user, None, ttl=TOKEN_S, now=now_s)
    except KeyProblem as problem:
        raise ApiError("unsupported", str(problem)) from None
    return {"token": token, "user": user, "url": edge_url(request.url.hostname, context)}
