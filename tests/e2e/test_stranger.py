"""The test client's own framing and MessagePack against implementations by others."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from typing import Self

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

wsproto = pytest.importorskip("wsproto", reason="an independent RFC 6455 peer (dev requirement)")

from tests.e2e import messagepack  # noqa: E402 - behind the skip
from tests.e2e.rfc6455 import BINARY, PING, PONG, TEXT, Line, deflate, encode, inflate  # noqa: E402

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=60,
)


@given(JSON_VALUES)
def test_messagepack_says_the_same_as_an_independent_codec(value: object) -> None:
    assert msgspec.msgpack.decode(messagepack.pack(value)) == value
    assert messagepack.unpack(msgspec.msgpack.encode(value)) == value


@pytest.mark.parametrize(
    "raw", [b"\xc4\x01x", b"\xd4\x01x", b"\x81\x01\x02", b"\x01\x02", b"\xa5ab"]
)
def test_messagepack_refuses_what_json_cannot_say(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each row has its own words
        messagepack.unpack(raw)


@given(st.binary(max_size=300))
def test_deflate_and_inflate_are_inverse(payload: bytes) -> None:
    assert inflate(deflate(payload)) == payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 200_000])
async def test_frames_of_every_length_form_through_an_independent_peer(size: int) -> None:
    with _Echo() as echo:
        line = await Line.open(echo.address, path="/")
        payload = os.urandom(size)
        line.send(BINARY, payload)
        frame = await line.frame()
        assert (frame.opcode, frame.payload) == (BINARY, payload)
        line.send(PING, b"life")
        pong = await line.frame()
        assert (pong.opcode, pong.payload) == (PONG, b"life")
        line.send_raw(encode(TEXT, json.dumps("é").encode(), mask=b"\0\0\0\0"))
        assert (await line.frame()).payload == b'"\\u00e9"'
        line.close(1000)
        assert (await line.frame()).close_code == 1000
        line.abort()
        await asyncio.sleep(0)


class _Echo:
    """A blocking echo server on wsproto (Benno Rice's RFC 6455 state machine)."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        from wsproto import ConnectionType, WSConnection
        from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, Request

        peer, _ = self._listener.accept()
        connection = WSConnection(ConnectionType.SERVER)
        whole: list[bytes | str] = []
        with peer:
            while data := peer.recv(1 << 16):
                connection.receive_data(data)
                for event in connection.events():
                    if isinstance(event, Request):
                        peer.sendall(connection.send(AcceptConnection()))
                    elif isinstance(event, Message):
                        whole.append(event.data)
                        if event.message_finished:
                            joined = type(event.data)().join(whole)  # type: ignore[arg-type]
                            peer.sendall(connection.send(Message(data=joined)))
                            whole.clear()
                    elif isinstance(event, (Ping, CloseConnection)):
                        peer.sendall(connection.send(event.response()))
                        if isinstance(event, CloseConnection):
                            return
