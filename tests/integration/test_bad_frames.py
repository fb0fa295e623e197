"""Bad input, rows 6 to 9:

frames that break RFC 6455, text that is no text, too much of anything. I8 I9.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e import messagepack
from tests.e2e.rfc6455 import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    TEXT,
    Ended,
    Line,
    apply_mask,
    deflate,
    encode,
)
from tests.e2e.stranger import Stranger, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def open_line(
    node: Node, user: str, encoding: str = "json", *, compressed: bool = False
) -> Line:
    """Return a connected line at frame level."""
    headers = [("Sec-WebSocket-Protocol", f"hivewire.v1.{encoding}")]
    if compressed:
        headers.append(("Sec-WebSocket-Extensions", "permessage-deflate"))
    line = await Line.open(node.edge, headers=headers)
    connect = {"op": "connect", "id": 1, "token": token(user), "device": "phone"}
    if encoding == "json":
        line.send(TEXT, json.dumps(connect).encode())
    else:
        line.send(BINARY, messagepack.pack(connect))
    await line.frame()
    return line


def close_body(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


VIOLATIONS = {
    "unmasked": encode(TEXT, b"{}", mask=None),
    "RSV1 without deflate": encode(TEXT, b"{}", rsv=4),
    "RSV2": encode(TEXT, b"{}", rsv=2),
    "RSV3": encode(TEXT, b"{}", rsv=1),
    "RSV1 on a ping": encode(PING, b"", rsv=4),
    **{f"reserved opcode {code:#x}": encode(code) for code in (*range(3, 8), *range(11, 16))},
    "fragmented ping": encode(PING, b"x", fin=False),
    "fragmented close": encode(CLOSE, close_body(1000), fin=False),
    "ping of 126 bytes": encode(PING, b"x" * 126),
    "close of 126 bytes": encode(CLOSE, close_body(1000, b"x" * 124)),
    "continuation without a start": encode(CONT, b"x"),
    "last continuation without a start": encode(CONT, b"x", fin=True),
    "text inside a fragmented text": encode(TEXT, b"{", fin=False) + encode(TEXT, b"}"),
    "16-bit length for 5 bytes": encode(TEXT, b"hello", length_form=16),
    "64-bit length for 5 bytes": encode(TEXT, b"hello", length_form=64),
    "64-bit length for 126 bytes": encode(TEXT, b"x" * 126, length_form=64),
    "length with the top bit": b"\x81\xff" + b"\x80" + b"\0" * 7 + b"mask",
    "close of one byte": encode(CLOSE, b"x"),
    **{
        f"close code {code}": encode(CLOSE, close_body(code))
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)
    },
}  # fmt: skip


@pytest.mark.parametrize("row", VIOLATIONS)
async def test_i9_a_broken_frame_is_1002(node: Node, name: Name, row: str) -> None:
    line = await open_line(node, name("ann"))
    line.send_raw(VIOLATIONS[row])
    await line.expect_close(1002)
    await line.expect_end()
    line.abort()


@pytest.mark.parametrize("row", VIOLATIONS)
async def test_i9_a_broken_frame_before_connect_is_1002_too(node: Node, row: str) -> None:
    line = await Line.open(node.edge)
    line.send_raw(VIOLATIONS[row])
    await line.expect_close(1002)
    line.abort()


BAD_UTF8 = {
    "lone continuation": b"\x80",
    "cut sequence": b"\xe2\x82",
    "overlong": b"\xc0\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond unicode": b"\xf4\x90\x80\x80",
    "0xff": b"\xff",
}


@pytest.mark.parametrize("row", BAD_UTF8)
async def test_i9_bad_utf8_is_1007(node: Node, name: Name, row: str) -> None:
    line = await open_line(node, name("ann"))
    line.send(TEXT, b'{"op":"ping","x":"' + BAD_UTF8[row] + b'"}')
    await line.expect_close(1007)
    line.abort()


@pytest.mark.parametrize("where", ["mid-fragment", "mid-frame"])
async def test_i9_bad_utf8_is_found_at_once(node: Node, name: Name, where: str) -> None:
    """The rest of the message never comes; the bad byte is enough."""
    line = await open_line(node, name("ann"))
    if where == "mid-fragment":
        line.send(TEXT, b"fine \xce\xba", fin=False)
        line.send(CONT, b"\xff", fin=False)
    else:
        payload = b"fine \xce\xba\xff" + b"x" * 100
        line.send_raw(encode(TEXT, payload)[: 6 + 20])
    await line.expect_close(1007, patience=3)
    line.abort()


async def test_utf8_split_anywhere_is_good(node: Node, name: Name) -> None:
    line = await open_line(node, name("ann"))
    raw = '{"op":"ping","id":3,"x":"κόσμε 😀"}'.encode()
    for cut in range(1, len(raw)):
        line.send(TEXT, raw[:cut], fin=False)
        line.send(CONT, raw[cut:])
        assert json.loads((await line.frame()).payload)["op"] == "pong"
    line.abort()


async def test_i9_a_bad_close_reason_is_1007(node: Node, name: Name) -> None:
    line = await open_line(node, name("ann"))
    line.send(CLOSE, close_body(1000, b"\xff\xff"))
    await line.expect_close(1007)
    line.abort()


@pytest.mark.parametrize("size", [65537, 1 << 20, 1 << 40, (1 << 63) - 1])
async def test_i9_a_frame_over_the_limit_is_1009_by_its_header(
    node: Node, name: Name, size: int
) -> None:
    """Not one byte of the payload is sent: the size is checked before anything is allocated."""
    line = await open_line(node, name("ann"))
    line.send_raw(b"\x81\xff" + struct.pack("!Q", size) + b"mask")
    await line.expect_close(1009)
    line.abort()


async def test_a_message_of_64_kib_is_taken(node: Node, name: Name) -> None:
    line = await open_line(node, name("ann"))
    head = b'{"op":"ping","id":3,"x":"'
    line.send(TEXT, head + b"x" * (65536 - len(head) - 2) + b'"}')
    assert json.loads((await line.frame()).payload)["op"] == "pong"
    line.abort()


async def test_i9_a_message_over_the_limit_in_fragments_is_1009(node: Node, name: Name) -> None:
    line = await open_line(node, name("ann"))
    line.send(TEXT, b" " * 40000, fin=False)
    line.send(CONT, b" " * 40000, fin=False)
    await line.expect_close(1009)
    line.abort()


async def test_i9_more_than_1024_fragments_are_1009(node: Node, name: Name) -> None:
    line = await open_line(node, name("ann"))
    line.send(TEXT, b" ", fin=False)
    for _ in range(1025):
        line.send(CONT, b" ", fin=False)
    await line.expect_close(1009)
    line.abort()


async def test_1000_fragments_are_taken(node: Node, name: Name) -> None:
    line = await open_line(node, name("ann"))
    line.send(TEXT, b'{"op":', fin=False)
    for _ in range(998):
        line.send(CONT, b" ", fin=False)
    line.send(CONT, b'"ping"}')
    assert json.loads((await line.frame()).payload)["op"] == "pong"
    line.abort()


async def test_i9_a_message_that_never_ends_is_1009(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_LIMITS__MESSAGE_TIME": "600ms"})
    line = await open_line(node, name("ann"))
    started = time.monotonic()
    line.send(TEXT, b'{"op"', fin=False)
    await line.expect_close(1009, patience=5)
    assert 0.4 < time.monotonic() - started < 3
    line.abort()


@pytest.mark.parametrize(("agreed", "opcode"), [("json", BINARY), ("msgpack", TEXT)])
async def test_i9_the_wrong_kind_is_1003(node: Node, name: Name, agreed: str, opcode: int) -> None:
    line = await open_line(node, name("ann"), agreed)
    line.send(opcode, b"{}")
    await line.expect_close(1003)
    line.abort()


async def test_control_frames_inside_a_message_are_answered(node: Node, name: Name) -> None:
    line = await open_line(node, name("ann"))
    line.send(TEXT, b'{"op":', fin=False)
    line.send(PING, b"in between")
    assert (await line.frame()).payload == b"in between"
    line.send(CONT, b'"ping"}')
    assert json.loads((await line.frame()).payload)["op"] == "pong"
    line.abort()


# -- deflate ----------------------------------------------------------------------------------


async def test_i9_bad_deflate_is_1007(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__DEFLATE": "true"})
    for garbage in (b"\xff\xff\xff\xff", b"\x06\x00", os.urandom(64)):
        line = await open_line(node, name("ann"), compressed=True)
        line.send_raw(encode(TEXT, garbage, rsv=4))
        await line.expect_close(1007)
        line.abort()


async def test_i8_a_deflate_bomb_is_1009(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__DEFLATE": "true"})
    before = node.resident_bytes()
    for _ in range(20):
        line = await open_line(node, name("ann"), compressed=True)
        bomb = deflate(b" " * 30_000_000)
        assert len(bomb) < 65536
        line.send_raw(encode(TEXT, bomb, rsv=4))
        await line.expect_close(1009)
        line.abort()
    assert node.resident_bytes() - before < 16 << 20


async def test_i9_rsv1_on_a_continuation_is_1002(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__DEFLATE": "true"})
    line = await open_line(node, name("ann"), compressed=True)
    line.send_raw(encode(TEXT, b"x", fin=False, rsv=4) + encode(CONT, b"x", rsv=4))
    await line.expect_close(1002)
    line.abort()


# -- any bytes at all -------------------------------------------------------------------------


async def test_i9_random_bytes_never_kill(node: Node, name: Name) -> None:
    for _ in range(60):
        line = await open_line(node, name("ann"))
        line.send_raw(os.urandom(400))
        line.send_raw(apply_mask(os.urandom(40), b"abcd"))
        try:
            while (frame := await line.frame(0.2)).opcode != CLOSE:
                pass
            assert frame.close_code in {1000, 1001, 1002, 1003, 1007, 1009, 4501, 4013} | set(
                range(3000, 5000)
            )
        except (Ended, TimeoutError):
            pass
        line.abort()
    async with await Stranger.join(node, name("bob")) as bob:
        await bob.send(f"user:{name('bob')}", "alive", key())


async def test_i9_cut_lines_leave_nothing_behind(
    start_node: Callable[..., Node], name: Name
) -> None:
    """200 lines cut in the middle of a frame: their memory and their slots come back."""
    node = start_node()
    before = node.descriptors()
    for turn in range(200):
        line = await open_line(node, name(f"u{turn % 10}"))
        line.send_raw(encode(TEXT, b"x" * 60000)[: 30000 + turn])
        await line.writer.drain()
        line.abort()
    async with await Stranger.join(node, name("bob")) as bob:
        await asyncio.sleep(0.3)
        await bob.send(f"user:{name('bob')}", "alive", key())
        assert node.descriptors() <= before + 5
