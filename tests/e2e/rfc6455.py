"""RFC 6455 on an asyncio stream, written from the RFC alone: what a client in another language
would do.

Nothing here is shared with the product. `encode` can also build frames that the RFC forbids.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PATIENCE = 10.0
"""Seconds that a read waits before the test fails."""


def encode(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    length_form: int | None = None,
) -> bytes:
    """Build one frame (section 5.2).

    `rsv` is 0 to 7; `length_form` 16 or 64 forces a longer length field.
    """
    first = (FIN if fin else 0) | rsv << 4 | opcode
    masked = 0x80 if mask is not None else 0
    size = len(payload)
    if length_form == 64 or (length_form is None and size > 0xFFFF):
        head = struct.pack("!BBQ", first, masked | 127, size)
    elif length_form == 16 or (length_form is None and size > 125):
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BB", first, masked | size)
    return head + payload if mask is None else head + mask + apply_mask(payload, mask)


def apply_mask(payload: bytes, mask: bytes) -> bytes:
    """Section 5.3, the same both ways."""
    size = len(payload)
    stream = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


@dataclass(frozen=True)
class Frame:
    """One frame as it came: `rsv` holds the three reserved bits."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0

    @property
    def close_code(self) -> int | None:
        """The code of a Close frame; None for an empty one (section 5.5.1)."""
        assert self.opcode == CLOSE
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None


class Refused(Exception):
    """The server answered the upgrade with something else than 101."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.headers, self.body = status, headers, body


class Ended(Exception):
    """The TCP connection is at its end (or was reset)."""


def request(
    path: str = "/v1/ws", *, headers: Sequence[tuple[str, str]] = (), host: str = "127.0.0.1"
) -> tuple[bytes, str]:
    """Return the bytes of an opening request (section 4.1) and the key in it.

    `headers` replace by name.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    lines = {"host": ("Host", host), "upgrade": ("Upgrade", "websocket")}
    lines |= {"connection": ("Connection", "Upgrade")}
    lines |= {"sec-websocket-key": ("Sec-WebSocket-Key", key)}
    lines |= {"sec-websocket-version": ("Sec-WebSocket-Version", "13")}
    lines |= {name.lower(): (name, value) for name, value in headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.values())
    return f"GET {path} HTTP/1.1\r\n{text}\r\n".encode("latin-1"), key


@dataclass
class Line:
    """One WebSocket connection at frame level."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Those of the 101 answer, names in lower case."""

    @classmethod
    async def open(
        cls,
        address: tuple[str, int],
        *,
        path: str = "/v1/ws",
        headers: Sequence[tuple[str, str]] = (),
    ) -> Self:
        """Dial and upgrade; raises Refused for any other answer than 101."""
        line = await cls.dial(address)
        bytes_, key = request(path, headers=headers, host=f"{address[0]}:{address[1]}")
        line.writer.write(bytes_)
        status, line.headers, body = await line.http_response()
        if status != 101:
            line.abort()
            raise Refused(status, line.headers, body)
        digest = hashlib.sha1(key.encode() + ACCEPT_GUID, usedforsecurity=False).digest()
        assert line.headers["sec-websocket-accept"] == base64.b64encode(digest).decode()
        assert line.headers["upgrade"].lower() == "websocket"
        assert line.headers["connection"].lower() == "upgrade"
        return line

    @classmethod
    async def dial(cls, address: tuple[str, int]) -> Self:
        """TCP only: for requests that no client would send."""
        return cls(*await asyncio.open_connection(*address, limit=1 << 20))

    def __post_init__(self) -> None:
        _lines.append(self)

    async def http_response(self) -> tuple[int, dict[str, str], bytes]:
        """Read one HTTP answer: status, headers (lower case), and the body to the given length."""
        try:
            async with asyncio.timeout(PATIENCE):
                head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                status_line, *lines = head[:-4].split("\r\n")
                pairs = (line.split(":", 1) for line in lines)
                headers = {name.strip().lower(): value.strip() for name, value in pairs}
                size = int(headers.get("content-length", "0"))
                body = await self.reader.readexactly(size) if size else b""
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Ended(str(error)) from error
        return int(status_line.split(" ")[1]), headers, body

    def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> None:
        """Queue one good frame, freshly masked."""
        self.writer.write(encode(opcode, payload, fin=fin, rsv=rsv, mask=os.urandom(4)))

    def send_raw(self, raw: bytes) -> None:
        """Queue any bytes."""
        self.writer.write(raw)

    async def frame(self, patience: float = PATIENCE) -> Frame:
        """Read the next frame; raises Ended at the end of the stream, TimeoutError when nothing
        comes.
        """
        try:
            async with asyncio.timeout(patience):
                first, second = await self.reader.readexactly(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack("!H", await self.reader.readexactly(2))
                    assert size > 125, "length not in its shortest form"
                elif size == 127:
                    (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
                    assert size > 0xFFFF, "length not in its shortest form"
                payload = await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Ended(str(error)) from error
        assert not second & 0x80, "a server must not mask (section 5.1)"
        assert not (first & 0x8 and size > 125), "control frames carry at most 125 bytes"
        return Frame(first & 0xF, payload, bool(first & FIN), first >> 4 & 7)

    async def expect_close(self, code: int | None, patience: float = PATIENCE) -> Frame:
        """Skip what else comes until the Close frame and check its code; then the server ends the
        TCP side.
        """
        while (frame := await self.frame(patience)).opcode != CLOSE:
            pass
        assert frame.close_code == code, f"closed with {frame.close_code} {frame.payload[2:]!r}"
        return frame

    async def expect_end(self, patience: float = PATIENCE) -> None:
        """The server ends the TCP connection; whatever still comes is read over."""
        try:
            async with asyncio.timeout(patience):
                while await self.reader.read(1 << 16):
                    pass
        except ConnectionError:
            pass

    def close(self, code: int = 1000) -> None:
        """Queue a Close frame."""
        self.send(CLOSE, struct.pack("!H", code))

    def abort(self) -> None:
        """Cut the line as a dead network does: no Close frame."""
        self.writer.transport.abort()


_lines: list[Line] = []


async def abort_all() -> None:
    """Cut what a test has left open; its loop is about to end."""
    while _lines:
        _lines.pop().abort()
    await asyncio.sleep(0)


def inflate(payload: bytes) -> bytes:
    """RFC 7692 section 7.2.2, without context takeover."""
    return zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")


def deflate(payload: bytes) -> bytes:
    """RFC 7692 section 7.2.1, without context takeover."""
    coder = zlib.compressobj(wbits=-15)
    return (coder.compress(payload) + coder.flush(zlib.Z_SYNC_FLUSH))[:-4]
