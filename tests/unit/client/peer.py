"""A scripted server: a test plays its part object by object, also the parts no real node plays."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 10.0


class Line(WSListener):
    """One accepted line, as the server sees it."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._objects: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed_with: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._peer.accepted.append(self)
        self._peer.lines.put_nowait(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            if not self.closed_with.done():
                self.closed_with.set_result(int.from_bytes(payload[:2]))
            transport.disconnect()
        else:
            self._objects.put_nowait(msgspec.json.decode(frame.get_payload_as_bytes()))

    async def receive(self, op: str) -> dict[str, Any]:
        """The next object; it must be an `op`."""
        message = await asyncio.wait_for(self._objects.get(), PATIENCE)
        assert message["op"] == op, message
        return message

    def send(self, op: str, **fields: Any) -> None:
        self.transport.send(WSMsgType.TEXT, msgspec.json.encode({"op": op, **fields}))

    def close(self, code: int, reason: str = "") -> None:
        self.transport.send(WSMsgType.CLOSE, code.to_bytes(2) + reason.encode())

    async def connected(self, *, cursor: int = 0, head: int = 0, **more: Any) -> dict[str, Any]:
        """Take `connect` and answer it; gives the command."""
        command = await self.receive("connect")
        answer = {
            "user": "a",
            "device": "phone",
            "epoch": "e1",
            "new_device": False,
            "reset": False,
            "trimmed_before": 1,
            "ticket": "ticket-1",
            "heartbeat": {"interval_ms": 25_000, "timeout_ms": 10_000, "from": "server"},
            "limits": {"sends_in_flight": 32},
        }
        self.send("connected", id=command["id"], cursor=cursor, head=head, **(answer | more))
        return command

    def event(self, seq: int, text: str = "x") -> None:
        body = {"type": "message", "conv": "direct:a,b", "n": seq, "from": "b", "ts": 1}
        self.send("event", seq=seq, **body, text=text)

    def sent(self, command: dict[str, Any], seq: int, *, dup: bool = False) -> None:
        fields = {"conv": "direct:a,b", "n": seq, "seq": seq, "ts": 1, "dup": dup}
        self.send("sent", id=command["id"], **fields)


class Peer:
    """The scripted server and the lines that came to it."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[Line] = asyncio.Queue()
        self.accepted: list[Line] = []
        self.url = ""
        # So many upgrades are answered with 503.
        self.refuse = 0
        self.retry_after = "0"

    def accept(self) -> Line | WSUpgradeResponseWithListener:
        """An upgrade has come."""
        if not self.refuse:
            return Line(self)
        self.refuse -= 1
        answer = WSUpgradeResponse.create_error_response(
            503, b"", {"Retry-After": self.retry_after}
        )
        return WSUpgradeResponseWithListener(answer, None)

    async def line(self) -> Line:
        """The next line that a client opens."""
        return await asyncio.wait_for(self.lines.get(), PATIENCE)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Peer]:
    """A scripted server on a port of its own."""
    peer = Peer()
    server = await ws_create_server(lambda _request: peer.accept(), "127.0.0.1", 0)
    peer.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/ws"
    try:
        yield peer
    finally:
        server.close()
