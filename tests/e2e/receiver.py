"""A receiver of webhooks and a push service of browsers: small, real, on loopback.

`async with Receiver() as receiver:` listens; each request is kept in `calls`, and what it gets for
an answer is what `answer` says: a status, or one for each call in turn.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    import ssl

PATIENCE = 20.0


class Call(NamedTuple):
    """One request."""

    at: float
    path: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Receiver:
    """An HTTP server for POSTs."""

    def __init__(
        self, *statuses: int, always: int = 204, tls: ssl.SSLContext | None = None
    ) -> None:
        self.calls: list[Call] = []
        self.statuses = list(statuses)
        """What the next calls are answered; after them `always`."""
        self.always = always
        self.silent = False
        """Whether calls are not answered at all."""
        self._tls = tls
        self._arrived = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        # A line that was accepted just now has its task in a turn or two.
        for _ in range(3):
            await asyncio.sleep(0)
        # All of them, also those in the middle of a handshake: nothing is left to the collector.
        for line in self._lines.values():
            line.transport.abort()
        await asyncio.gather(*self._lines, return_exceptions=True)
        # A line that was aborted is closed a turn later.
        await asyncio.sleep(0)
        await self._server.wait_closed()

    async def until(self, count: int) -> list[Call]:
        """All calls, when there are so many."""
        async with asyncio.timeout(PATIENCE):
            while len(self.calls) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.calls

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines[task] = writer
        try:
            if self._tls is not None:
                await writer.start_tls(self._tls)
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                pairs = (line.partition(": ") for line in lines[1:] if line)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.calls.append(Call(time.monotonic(), lines[0].split(" ")[1], headers, body))
                self._arrived.set()
                if self.silent:
                    continue
                status = self.statuses.pop(0) if self.statuses else self.always
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            # TLS would wait for the peer's last word.
            writer.transport.abort()
            del self._lines[task]


class Browser:
    """The keys of one subscription, as a browser makes them (RFC 8291)."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)

    def subscription(self, endpoint: str) -> dict[str, str]:
        """The fields of `push.register`."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {
            "kind": "webpush",
            "endpoint": endpoint,
            "p256dh": base64url(public),
            "auth": base64url(self.auth),
        }

    def open(self, call: Call) -> dict[str, Any]:
        """What a push says, if it is for this browser and meets the RFCs."""
        assert call.headers["content-encoding"] == "aes128gcm"
        assert int(call.headers["ttl"]) > 0
        assert len(call.body) <= 4096
        plain = http_ece.decrypt(
            call.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"
        )
        return json.loads(plain)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
