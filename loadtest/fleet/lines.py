"""Opening lines: from where, with how many at a time, and who signs the tokens."""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import TYPE_CHECKING, Final

import jwt
from picows import WSError, WSHandshakeError, ws_connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from picows import WSListener
    from picows.url import WSParsedURL

PER_ADDRESS: Final = 10_000
"""Clients that share a source address: the kernel's search for a free port turns slow beyond."""
FIRST_SOURCE: Final = int(ipaddress.IPv4Address("127.0.0.2"))
BIND_ADDRESS_NO_PORT: Final = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux: the port is chosen at connect, by the whole address pair."""
OPEN_SECONDS: Final = 30.0
READ_BUFFER: Final = 2048
MAX_FRAME: Final = 512 * 1024
TOKEN_SECONDS: Final = 24 * 3600


class TurnedAway(ConnectionError):
    """The node has too many, or too many at a time: come back after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"503, come back after {seconds} s")
        self.seconds = seconds


async def dial(url: str, number: int, listener: Callable[[], WSListener]) -> None:
    """Open a line for the client with this number.

    Raises OSError when that does not succeed, TurnedAway when the node says when to come back.
    """
    try:
        await ws_connect(
            listener,
            url,
            websocket_handshake_timeout=OPEN_SECONDS,
            max_frame_size=MAX_FRAME,
            read_buffer_init_size=READ_BUFFER,
            max_redirects=0,
            extra_headers={"Sec-WebSocket-Protocol": "hivewire.v1.json"},
            socket_factory=lambda parsed: _source(parsed, number),
        )
    except WSHandshakeError as error:
        wait = error.response.headers.get("Retry-After") if error.response else None
        raise TurnedAway(float(wait)) if wait else ConnectionError(f"{error}") from None
    except (WSError, TimeoutError) as error:
        raise ConnectionError(f"upgrade: {error}") from None


def _source(parsed: WSParsedURL, number: int) -> socket.socket | None:
    """A socket bound to the client's own loopback address; None: the kernel chooses."""
    if parsed.host not in {"127.0.0.1", "localhost"}:
        return None
    line = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    line.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
    line.bind((str(ipaddress.IPv4Address(FIRST_SOURCE + number // PER_ADDRESS)), 0))
    return line


def token(user: str, key: str, algorithm: str) -> str:
    """A token for a day, as the application's own backend would sign it."""
    claims = {"sub": user, "exp": int(time.time()) + TOKEN_SECONDS}
    return jwt.encode(claims, key, algorithm)
