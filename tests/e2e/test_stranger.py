"""The test client's own framing and MessagePack against implementations by others."""

from __future__ import annotations

import os

import msgspec
import picows
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e import messagepack
from tests.e2e.rfc6455 import BINARY, PING, PONG, TEXT, Line, deflate, encode, inflate

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
    server = await picows.ws_create_server(lambda _: _Echo(), "127.0.0.1", 0)
    async with server:
        line = await Line.open(server.sockets[0].getsockname(), path="/")
        payload = os.urandom(size)
        line.send(BINARY, payload)
        frame = await line.frame()
        assert (frame.opcode, frame.payload) == (BINARY, payload)
        line.send(PING, b"life")
        pong = await line.frame()
        assert (pong.opcode, pong.payload) == (PONG, b"life")
        line.send_raw(encode(TEXT, "é".encode(), mask=b"\0\0\0\0"))
        assert (await line.frame()).payload == "é".encode()
        line.close(1000)
        assert (await line.frame()).close_code == 1000
        await line.expect_end()


class _Echo(picows.WSListener):
    """An echo server on picows, a WebSocket implementation by others."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())
