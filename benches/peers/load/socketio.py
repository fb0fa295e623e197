"""Socket.IO 4 over a WebSocket, as `servers/socketio_server.py` speaks it.

Frames are masked with zeros, which leaves their bytes as they are.
"""

from __future__ import annotations

from typing import Final

from peers.load.crew import EVERYBODY, Line

UPGRADE: Final = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
EVENT: Final = b'42["m","'


def frame(payload: bytes) -> bytes:
    """A text frame of a client."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size, 0, 0, 0, 0)) + payload
    return b"\x81\xfe" + size.to_bytes(2, "big") + b"\0\0\0\0" + payload


class SocketIoLine(Line):
    """One client in the default namespace."""

    upgraded = False

    def hello(self) -> None:
        """Ask for the upgrade."""
        self.transport.write(UPGRADE)

    def feed(self, data: bytes) -> bytes:
        """Frame by frame."""
        at = 0
        if not self.upgraded:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                return data
            self.upgraded = True
            at = end + 4
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            if len(data) < start + size:
                break
            self._packet(data[start : start + size])
            at = start + size
        return data[at:]

    def _packet(self, payload: bytes) -> None:
        if payload.startswith(EVENT):
            self.crew.arrived(self, payload[len(EVENT) :])
        elif payload.startswith(b"0"):
            self.transport.write(frame(b"40"))
        elif payload.startswith(b"40"):
            role = b"sub" if self.inbox == EVERYBODY else b"own"
            self.transport.write(frame(b'420["%s"]' % role))
        elif payload.startswith(b"430"):
            self.stands()
        elif payload == b"2":
            self.transport.write(frame(b"3"))

    def publish(self, inbox: str, payload: bytes) -> None:
        """An event for the room, or one that comes back."""
        event = b"pub" if inbox == EVERYBODY else b"echo"
        self.transport.write(frame(b'42["%s","%s"]' % (event, payload)))
