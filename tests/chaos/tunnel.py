"""A way to the node that can go dark: a TCP proxy that holds back what it carries, or drops it.

Neither side is told: no RST, no FIN. So does a tunnel (`hold`, `go_on`: TCP brings everything
later) and a NAT that has forgotten the line (`forget`: nothing of it ever arrives).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.node import Node

CHUNK = 1 << 16


class Tunnel:
    """Listens on `edge` and carries each connection to the node, wherever that is now."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.edge: tuple[str, int] = ("", 0)
        self.lines: list[TunnelLine] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.edge = self._server.sockets[0].getsockname()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for line in self.lines:
            line.end()
        await asyncio.gather(*(line.done for line in self.lines), return_exceptions=True)

    def line_of(self, port: int) -> TunnelLine:
        """The line of the client that has this local port."""
        return next(line for line in reversed(self.lines) if line.port == port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inside = await asyncio.open_connection(*self.node.edge)
        except OSError:
            writer.transport.abort()
            return
        self.lines.append(TunnelLine((reader, writer), inside))


class TunnelLine:
    """One connection on its way."""

    def __init__(
        self,
        outside: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        inside: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.port: int = outside[1].get_extra_info("peername")[1]
        self.given_up_at: float | None = None
        """When the node ended it, by time.monotonic()."""
        self._forgotten = False
        self._open = asyncio.Event()
        self._open.set()
        self._writers = (outside[1], inside[1])
        self.done = asyncio.gather(
            self._carry(outside[0], inside[1], from_node=False),
            self._carry(inside[0], outside[1], from_node=True),
        )

    def hold(self) -> None:
        """Into the tunnel: what is written from here on waits."""
        self._open.clear()

    def go_on(self) -> None:
        """Out of the tunnel."""
        self._open.set()

    def forget(self) -> None:
        """The line is dead, and nobody knows."""
        self._forgotten = True

    def end(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._open.set()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_node: bool
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._open.wait()
                if not self._forgotten:
                    writer.write(chunk)
                    await writer.drain()
        if from_node:
            self.given_up_at = time.monotonic()
        if not self._forgotten:
            await self._open.wait()
            writer.close()
