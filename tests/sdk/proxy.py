"""A man in the middle that breaks lines where a scenario says so; the node behind it is real.

`Proxy` forwards the WebSocket byte by byte, but it knows frames: each `Fault` names a direction, an
`op` and which one of them, and what happens to that frame. A fault fires once, unless it says
`times`. What fired is in `fired`, so that a scenario whose fault never came fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEXT, CLOSE = 1, 8
MAX_HEAD = 16 * 1024
Side = Literal["client", "server"]
Do = Literal[
    "cut-before", "cut-after", "cut-middle", "drop", "duplicate", "freeze", "close", "put-off"
]
"""What happens to the frame: the line is cut before it went on, after it did, when half of it did;
it is swallowed; it comes twice; nothing goes either way any more; the line is closed instead; the
command is answered by "unavailable, try again" and never reaches the node."""
PUT_OFF_MS = 300


@dataclass
class Fault:
    """What happens to the `nth` frame from a side with this `op` (counted over all lines)."""

    side: Side
    op: str
    do: Do
    nth: int = 1
    times: int = 1
    code: int = 0
    """The close code of `close`."""
    seen: int = 0

    def __str__(self) -> str:
        return f"{self.do} {self.op} from {self.side}"

    def takes(self, side: Side, op: str) -> bool:
        """Whether this frame is the one."""
        if (side, op) != (self.side, self.op):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass(frozen=True)
class Frame:
    """One frame as it stands on the wire, and the object in it if it is text."""

    raw: bytes
    message: dict[str, Any]

    @property
    def op(self) -> str:
        return str(self.message.get("op"))


@dataclass
class Line:
    """The two connections of one line."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    frozen: bool = False
    closing: bool = False
    """The client was told to close; it is over when it has answered."""

    def cut(self) -> None:
        """End both, as a network does: no Close frame. What was written before still arrives."""
        for writer in (self.client, self.server):
            writer.close()


@dataclass
class Proxy:
    """Listens in front of a node.

    Args:
        target: the node's edge; it may be replaced while lines come and go.
    """

    target: tuple[str, int]
    faults: list[Fault] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    refuse: int = 0
    """So many upgrades are answered with 503."""
    retry_after: int = 0
    refused_at: list[float] = field(default_factory=list)
    upgrades_at: list[float] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where a client of the proxy connects."""
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        """Listen on a port of its own until the block ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for line in self.lines:
                line.cut()

    async def until_fired(self, count: int) -> None:
        """Wait until so many faults have struck."""
        while len(self.fired) < count:
            self.struck.clear()
            await self.struck.wait()

    def _strike(self, what: str) -> None:
        self.fired.append(what)
        self.struck.set()

    def cut_all(self) -> None:
        """Cut every line that is there."""
        for line in self.lines:
            line.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.upgrades_at.append(asyncio.get_running_loop().time())
            if self.refuse:
                self.refuse -= 1
                await self._refuse(writer)
                return
            upstream_reader, upstream = await asyncio.open_connection(*self.target)
            upstream.write(head)
            line = Line(writer, upstream)
            self.lines.append(line)
            try:
                await asyncio.gather(
                    self._pump(line, "client", reader, upstream),
                    self._answer(line, upstream_reader),
                )
            finally:
                line.cut()
        writer.close()

    async def _refuse(self, writer: asyncio.StreamWriter) -> None:
        self.refused_at.append(asyncio.get_running_loop().time())
        lines = ["HTTP/1.1 503 Service Unavailable", "Content-Length: 0", "Connection: close"]
        lines += [f"Retry-After: {self.retry_after}"] if self.retry_after else []
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        writer.close()
        self._strike("503")

    async def _answer(self, line: Line, reader: asyncio.StreamReader) -> None:
        """The node's answer to the upgrade goes on as it is, frames come behind it."""
        line.client.write(await reader.readuntil(b"\r\n\r\n"))
        await self._pump(line, "server", reader, line.client)

    async def _pump(
        self, line: Line, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward frames from one side to the other until either ends."""
        try:
            while True:
                frame = await read_frame(reader)
                if line.frozen:
                    if line.closing and frame.message.get("opcode") == CLOSE:
                        line.cut()
                    continue
                fault = next((fault for fault in self.faults if fault.takes(side, frame.op)), None)
                if fault is None:
                    writer.write(frame.raw)
                    await writer.drain()
                else:
                    self._strike(str(fault))
                    self._break(line, fault, frame, writer)
        except (OSError, asyncio.IncompleteReadError):
            line.cut()

    def _break(self, line: Line, fault: Fault, frame: Frame, writer: asyncio.StreamWriter) -> None:
        """Do to the frame what the fault says."""
        forwarded = {
            "cut-after": frame.raw,
            "cut-middle": frame.raw[: len(frame.raw) // 2],
            "duplicate": frame.raw * 2,
        }
        writer.write(forwarded.get(fault.do, b""))
        if fault.do == "put-off":
            line.client.write(put_off(frame.message))
        elif fault.do == "freeze":
            line.frozen = True
        elif fault.do == "close":
            line.client.write(bytes((0x80 | CLOSE, 2)) + fault.code.to_bytes(2))
            line.frozen = line.closing = True
        elif fault.do.startswith("cut"):
            line.cut()


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read one frame, masked or not. Raises IncompleteReadError at the end."""
    head = await reader.readexactly(2)
    length, masked = head[1] & 0x7F, bool(head[1] & 0x80)
    if length >= 126:
        more = await reader.readexactly(2 if length == 126 else 8)
        head, length = head + more, int.from_bytes(more)
    mask = await reader.readexactly(4) if masked else b""
    body = await reader.readexactly(length)
    plain = unmask(body, mask) if masked else body
    opcode = head[0] & 0x0F
    message = json.loads(plain) if opcode == TEXT else {"opcode": opcode}
    return Frame(head + mask + body, message)


def unmask(body: bytes, mask: bytes) -> bytes:
    """RFC 6455 section 5.3."""
    repeated = (mask * (len(body) // 4 + 1))[: len(body)]
    return (int.from_bytes(body) ^ int.from_bytes(repeated)).to_bytes(len(body))


def put_off(command: dict[str, Any]) -> bytes:
    """The frame by which a node that is busy answers a command."""
    refusal = {"op": "error", "id": command["id"], "code": "unavailable", "message": "busy"}
    refusal |= {"retryable": True, "retry_after_ms": PUT_OFF_MS}
    text = json.dumps(refusal).encode().ljust(126)
    return bytes((0x80 | TEXT, 126)) + len(text).to_bytes(2) + text
