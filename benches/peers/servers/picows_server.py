"""picows on uvloop: `echo` sends each message back, `fanout` writes to each subscriber in turn."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

SUBSCRIBERS = set[WSTransport]()


class Echo(WSListener):
    """Back it goes."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame has come."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())


class Fanout(WSListener):
    """What one says, all who said `sub` get."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame has come."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        if payload in (b"sub", b"pub"):
            if payload == b"sub":
                SUBSCRIBERS.add(transport)
            transport.send(WSMsgType.TEXT, b"ok")
            return
        for subscriber in SUBSCRIBERS:
            subscriber.send(WSMsgType.TEXT, payload)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Nobody to write to any more."""
        SUBSCRIBERS.discard(transport)


async def serve() -> None:
    """Serve until SIGTERM."""
    listener = Echo if sys.argv[1] == "echo" else Fanout

    def accept(_request: WSUpgradeRequest) -> WSListener:
        return listener()

    server = await ws_create_server(accept, "127.0.0.1", int(sys.argv[2]), backlog=4096)
    host, port = server.sockets[0].getsockname()
    print(f"ready {host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
