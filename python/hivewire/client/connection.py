"""One WebSocket line: objects in, objects out, and how it ended. No meaning, no retries."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from picows import (
    WSError,
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,  # pyright: ignore[reportUnknownVariableType] - its **kwargs have no type
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

OPEN_SECONDS: Final = 10.0
# protocol.md section 1: what a server's message may have at most.
MAX_MESSAGE: Final = 512 * 1024
NORMAL: Final = 1000
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
PROTOCOL_ERROR: Final = 1002
UNREADABLE: Final = 1007
WRONG_KIND: Final = 1003
TOO_BIG: Final = 1009
# RFC 6455 section 7.4: what may stand in a Close frame.
CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


class Refused(ConnectionError):
    """The server answered the upgrade with an HTTP error.

    Attributes:
        status: such as 503.
        retry_after: seconds that it asks for, 0 if it does not say.
    """

    def __init__(self, url: str, error: WSInvalidStatusError) -> None:
        response = error.response
        self.status = 0 if response is None else int(response.status)
        after = "" if response is None else str(response.headers.get("Retry-After", ""))
        self.retry_after = float(after) if after.isdecimal() else 0.0
        super().__init__(f"{url}: {error}")


class Encoding(NamedTuple):
    """A subprotocol: its name, its kind of frame, and how objects are written in it."""

    subprotocol: str
    frame: WSMsgType
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], dict[str, Any]]


JSON: Final = Encoding(
    "hivewire.v1.json",
    WSMsgType.TEXT,
    msgspec.json.encode,
    msgspec.json.Decoder(dict[str, Any]).decode,
)
MSGPACK: Final = Encoding(
    "hivewire.v1.msgpack",
    WSMsgType.BINARY,
    msgspec.msgpack.encode,
    msgspec.msgpack.Decoder(dict[str, Any]).decode,
)


class Connection(WSListener):
    """An open line.

    Args:
        encoding: `JSON` or `MSGPACK`.
        receive: called with each object that arrives.
    """

    def __init__(self, encoding: Encoding, receive: Callable[[dict[str, Any]], None]) -> None:
        self._encoding = encoding
        self._receive = receive
        self._transport: WSTransport | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._code = ABNORMAL
        self._reason = ""
        self._ended = asyncio.Event()

    @classmethod
    async def open(
        cls,
        url: str,
        encoding: Encoding,
        receive: Callable[[dict[str, Any]], None],
        ssl: SSLContext | None = None,
    ) -> Connection:
        """Connect to `url`. Raises OSError when nobody answers, Refused when the upgrade is."""
        connection = cls(encoding, receive)
        try:
            await ws_connect(
                lambda: connection,
                url,
                ssl_context=ssl,
                websocket_handshake_timeout=OPEN_SECONDS,
                max_frame_size=MAX_MESSAGE,
                max_redirects=0,
                extra_headers={"Sec-WebSocket-Protocol": encoding.subprotocol},
            )
        except WSInvalidStatusError as error:
            raise Refused(url, error) from None
        except (WSError, TimeoutError) as error:
            raise ConnectionError(f"{url}: {error}") from None
        return connection

    def send(self, message: dict[str, Any]) -> None:
        """Write one object; silently nothing once the line has ended."""
        if self._transport is not None and not self._ended.is_set():
            self._transport.send(self._encoding.frame, self._encoding.encode(message))

    async def wait_ended(self) -> tuple[int, str]:
        """Wait for the end; gives the close code (1006 without a Close frame) and reason."""
        await self._ended.wait()
        if self._transport is not None:
            # Where the peer broke the protocol the transport has an exception; it must be taken.
            with contextlib.suppress(WSError, OSError):
                await self._transport.wait_disconnected()
        return self._code, self._reason

    def close(self, code: int = NORMAL) -> None:
        """Say goodbye; `wait_ended` tells when it is over."""
        if self._transport is not None and not self._ended.is_set():
            self._code = code
            self._say_close(self._transport, code)
            self._transport.disconnect()

    def abort(self) -> None:
        """Cut the line: the peer is believed dead."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is through."""
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The TCP side is gone."""
        del transport
        self._ended.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One frame; pings were answered by the transport already."""
        kind = frame.msg_type
        if transport.is_close_frame_sent and kind != WSMsgType.CLOSE:
            return
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(PROTOCOL_ERROR)  # no extension was agreed
        elif kind == WSMsgType.CLOSE:
            self._on_close(transport, frame)
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._on_data(frame)

    def _on_data(self, frame: WSFrame) -> None:
        goes_on = frame.msg_type == WSMsgType.CONTINUATION
        if goes_on != bool(self._parts):
            self.close(PROTOCOL_ERROR)
            return
        if not goes_on and frame.msg_type != self._encoding.frame:
            self.close(WRONG_KIND)
            return
        payload = frame.get_payload_as_bytes()
        self._size += len(payload)
        if self._size > MAX_MESSAGE:
            self.close(TOO_BIG)
            return
        self._parts.append(payload)
        if frame.fin:
            message = b"".join(self._parts)
            self._parts, self._size = [], 0
            self._on_message(message)

    def _on_message(self, message: bytes) -> None:
        if not message:
            return
        try:
            decoded = self._encoding.decode(message)
        except (msgspec.MsgspecError, RecursionError):
            self.close(UNREADABLE)
            return
        self._receive(decoded)

    def _on_close(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        code = int.from_bytes(payload[:2]) if len(payload) >= 2 else NO_STATUS
        if code in CLOSE_CODES or code == NO_STATUS:
            self._code = code
            self._reason = payload[2:].decode("utf-8", "replace")
            self._say_close(transport, NORMAL if code == NO_STATUS else code)
        else:
            self._say_close(transport, PROTOCOL_ERROR)
        transport.disconnect()

    @staticmethod
    def _say_close(transport: WSTransport, code: int) -> None:
        """Send a Close frame, once."""
        if not transport.is_close_frame_sent:
            transport.send(WSMsgType.CLOSE, code.to_bytes(2))
