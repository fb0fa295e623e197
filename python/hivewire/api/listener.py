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
from starlette.responses import JSONResponse, Response

from hivewire.api import health
from hivewire.config import Address, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.requests import Request

    from hivewire.metrics import Metrics

BACKLOG = 128
CODES = {404: "not_found", 405: "bad_request"}


class Api:
    """The HTTP server of one node.

    Args:
        address: HOST:PORT to bind; port 0 picks a free one.
        metrics: what `/metrics` shows.
        why_not_ready: None when the node takes connections, else the reason for `/health/ready`.
    """

    def __init__(
        self, address: str, metrics: Metrics, why_not_ready: Callable[[], str | None]
    ) -> None:
        self._address = parse_address(address)
        self._server = _Server(make_app(metrics, why_not_ready))
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

    async def stop(self) -> None:
        """Accept no more, finish what is being answered, and end."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def make_app(metrics: Metrics, why_not_ready: Callable[[], str | None]) -> Starlette:
    """The application; errors have the shape of protocol.md section 9."""
    return Starlette(
        routes=health.routes(metrics, why_not_ready),
        exception_handlers={HTTPException: explain},
    )


async def explain(_request: Request, error: Exception) -> Response:
    """An HTTP error as `{"error":{"code","message","retryable"}}`."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = error.detail if isinstance(error, HTTPException) else "internal error"
    code = CODES.get(status, "bad_request" if status < 500 else "internal")
    headers = error.headers if isinstance(error, HTTPException) else None
    body = {"error": {"code": code, "message": message, "retryable": False}}
    return JSONResponse(body, status_code=status, headers=headers)


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

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
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
