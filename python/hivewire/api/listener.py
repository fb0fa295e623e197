"""The api listener: Starlette under uvicorn, on the node's own loop.

uvicorn gets a bound socket (so port 0 works and a taken port is an error before anything starts)
and no say over signals: the node drains, uvicorn only stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from hivewire.api import (
    admin,
    health,
    media,
    openapi,
    pages,
    revoke,
    rtm,
    server,
    server_groups,
    timeline,
    trace,
)
from hivewire.api.endpoint import route
from hivewire.api.errors import explain
from hivewire.api.line import line_class
from hivewire.api.request_ids import RequestIds
from hivewire.config import Address, parse_address

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from starlette.types import ASGIApp

    from hivewire.api.context import Context
    from hivewire.api.endpoint import Endpoint
    from hivewire.config.api import Api as Limits

BACKLOG = 1024


class Api:
    """The HTTP server of one node.

    Args:
        context: The node.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._address = parse_address(context.settings.api.address)
        app = make_app(context, endpoints(context))
        served = RequestIds(app, context.settings.log)
        self._server = _Server(served, context.settings.api)
        self._task: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None

    async def start(self, listener: socket.socket | None = None) -> Address:
        """Accept from now on, perhaps on a socket that listens already.

        Gives the address that was bound. Raises OSError.
        """
        listener = listener or bind(self._address)
        self._listener = listener
        self._task = asyncio.create_task(self._server.serve([listener]), name="api")
        accepting = asyncio.create_task(self._server.accepting.wait())
        await asyncio.wait((self._task, accepting), return_when=asyncio.FIRST_COMPLETED)
        accepting.cancel()
        if self._task.done():
            self._task.result()
            raise OSError(f"the api listener did not start on {self._address}")
        host, port = listener.getsockname()[:2]
        return Address(host, port)

    def share(self) -> socket.socket:
        """The listening socket for whoever accepts next: who comes meanwhile waits in its queue."""
        if self._listener is None:
            raise ValueError("the api listener was not started")
        return self._listener.dup()

    def drain(self) -> None:
        """Take nothing new but questions about health; whoever polls is answered now."""
        self._context.calls.draining = True
        self._context.polls.end()

    async def stop(self) -> None:
        """Accept no more, answer who polls or uploads, finish what is being answered, and end."""
        self._context.polls.end()
        self._context.media.cut()
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def endpoints(context: Context) -> list[Endpoint]:
    """Everything that the api serves, in the order of its document."""
    served = [
        *rtm.endpoints(context),
        *media.endpoints(context),
        *timeline.endpoints(context),
        *server.endpoints(context),
        *server_groups.endpoints(context),
        *revoke.endpoints(context),
        *admin.endpoints(context),
        *trace.endpoints(context),
        *health.endpoints(context),
    ]
    return [*served, *openapi.endpoints(served)]


def make_app(context: Context, served: Sequence[Endpoint]) -> Starlette:
    """The application; errors have the shape of protocol.md section 9."""
    origins = context.settings.api.origins
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=sorted({endpoint.method for endpoint in served}),
        allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
        expose_headers=["Content-Range", "ETag", "Retry-After", "X-Request-Id"],
        max_age=600,
    )
    return Starlette(
        routes=[*(route(endpoint, context) for endpoint in served), *pages.routes(context)],
        middleware=[cors] if origins else [],
        exception_handlers={HTTPException: explain, Exception: explain},
    )


def bind(address: Address) -> socket.socket:
    """A listening socket on `address`. Raises OSError naming the address."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{error.strerror}: {address}") from None
    listener.listen(BACKLOG)
    listener.settimeout(0)
    return listener


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, and with a word for "accepts now"."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=line_class(limits.body_time),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=limits.connections + 1,
                timeout_graceful_shutdown=2,
            )
        )
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
