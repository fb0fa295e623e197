"""Every HTTP request has an id: its answer carries it, and each line of the log about it."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

import structlog

from hivewire.core.names import is_name
from hivewire.log import REQUEST

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from hivewire.config.sections import Log

HEADER: Final = b"x-request-id"
PATH_CHARACTERS: Final = 200
USER: Final = "hivewire.user"
"""Where a request's scope says who calls, once that is known."""
log = structlog.get_logger(__name__)


class RequestIds:
    """The outermost part of the api: what is in it need not know of it.

    Args:
        app: Answers.
        settings: At level `debug` each request gets a line.
    """

    def __init__(self, app: ASGIApp, settings: Log) -> None:
        self._app = app
        self._tells = settings.level == "debug"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and its answer back with the id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = given(scope) or secrets.token_hex(8)
        # Each request is a task of its own, so this is seen by nothing else.
        REQUEST.set(request)
        begun, status = time.monotonic_ns(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request.encode())]
            await send(message)

        about = {"request": request, "method": scope["method"]}
        try:
            await self._app(scope, receive, answer)
        except Exception:
            # It was answered with `internal`, or the line ends in the middle of its answer.
            log.exception("a request failed", **about, path=path_of(scope))
        if self._tells:
            took = round((time.monotonic_ns() - begun) / 1e6, 3)
            caller = {"user": scope[USER]} if USER in scope else {}
            about |= {"path": path_of(scope), "status": status, "took_ms": took}
            log.debug("answered", **about, **caller)


def given(scope: Scope) -> str | None:
    """The id that the request came with, if it is well-formed as a user id is."""
    for name, value in scope["headers"]:
        if name == HEADER:
            text: str = value.decode("latin-1")
            return text if is_name(text) else None
    return None


def path_of(scope: Scope) -> str:
    """What was asked for, without the query: signatures of links stand there."""
    path: str = scope["path"]
    return path[:PATH_CHARACTERS]
