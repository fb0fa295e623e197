"""Bad input, rows 1 to 5: HTTP that is no upgrade, or not one that is wanted. I9."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.rfc6455 import TEXT, Ended, Line, Refused, request
from tests.e2e.stranger import SUBPROTOCOLS, Stranger, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

GOOD = request()[0]
HEAD = b"GET /v1/ws HTTP/1.1\r\nHost: x\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


async def answer_of(node: Node, raw: bytes) -> tuple[int, dict[str, str]]:
    """Send bytes and return status and headers; the server then closes."""
    line = await Line.dial(node.edge)
    line.send_raw(raw)
    status, headers, _ = await line.http_response()
    if status != 101:
        await line.expect_end()
    line.abort()
    return status, headers


@pytest.mark.parametrize(
    ("row", "raw", "statuses"),
    [
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", {400}),
        ("empty method", b" /v1/ws HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        ("no version", b"GET /v1/ws\r\nHost: x\r\n\r\n", {400}),
        ("HTTP/3.7", HEAD.replace(b"1.1", b"3.7") + UPGRADE + KEY + b"\r\n", {400, 505}),
        ("HTTP/1.0", HEAD.replace(b"1.1", b"1.0") + UPGRADE + KEY + b"\r\n", {400, 426, 505}),
        ("header without colon", HEAD + b"nonsense\r\n\r\n", {400}),
        ("space before colon", HEAD + b"A : b\r\n\r\n", {400}),
        ("folded header", HEAD + b"A: b\r\n c\r\n\r\n", {400}),
        ("nul in a header", HEAD + b"A: b\0c\r\n" + UPGRADE + KEY + b"\r\n", {400}),
        ("no host", b"GET /v1/ws HTTP/1.1\r\n" + UPGRADE + KEY + b"\r\n", {400}),
        ("no key", HEAD + UPGRADE + b"\r\n", {400}),
        ("key too short", HEAD + UPGRADE + b"Sec-WebSocket-Key: YQ==\r\n\r\n", {400}),
        ("key no base64", HEAD + UPGRADE + b"Sec-WebSocket-Key: !!!!\r\n\r\n", {400}),
        ("two keys", HEAD + UPGRADE + KEY + KEY + b"\r\n", {400}),
        ("line of 9 KiB", b"GET /v1/ws?" + b"x" * 9216 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414}),
        ("line without an end", b"GET /" + b"x" * 20000, {414, 431}),
        ("65 headers", HEAD + b"".join(b"A%d: b\r\n" % n for n in range(65)) + b"\r\n", {431}),
        ("17 KiB of headers", HEAD + b"A: " + b"b" * 17408 + b"\r\n\r\n", {431}),
        (
            "content length and transfer encoding",
            HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" + UPGRADE + KEY + b"\r\n",
            {400},
        ),
        ("a body", HEAD + b"Content-Length: 3\r\n" + UPGRADE + KEY + b"\r\nabc", {400}),
        ("POST", GOOD.replace(b"GET", b"POST"), {405}),
        ("OPTIONS", GOOD.replace(b"GET", b"OPTIONS"), {405}),
        ("CONNECT", b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405}),
        ("proxy request", GOOD.replace(b"/v1/ws", b"http://example.org/", 1), {400, 404}),
        ("no upgrade", HEAD + b"\r\n", {426}),
        ("upgrade to h2c", HEAD + UPGRADE.replace(b"websocket", b"h2c") + KEY + b"\r\n", {426}),
        ("version 8", HEAD + UPGRADE.replace(b"13", b"8") + KEY + b"\r\n", {426}),
        ("version 14", HEAD + UPGRADE.replace(b"13", b"14") + KEY + b"\r\n", {426}),
        ("another path", GOOD.replace(b"/v1/ws", b"/chat", 1), {404}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_i9_bad_http_is_answered_and_closed(
    node: Node, row: str, raw: bytes, statuses: set[int]
) -> None:
    status, headers = await answer_of(node, raw)
    assert status in statuses, row
    if status == 426:
        assert headers["sec-websocket-version"] == "13"


async def test_i9_a_405_names_what_is_allowed(node: Node) -> None:
    _, headers = await answer_of(node, GOOD.replace(b"GET", b"DELETE"))
    assert headers.get("allow") == "GET"


@pytest.mark.parametrize(
    "spelling", [b"UPGRADE: WebSocket", b"upgrade:websocket", b"Upgrade: websocket "]
)
async def test_names_and_tokens_know_no_case(node: Node, spelling: bytes) -> None:
    raw = GOOD.replace(b"Upgrade: websocket", spelling)
    raw = raw.replace(b"Connection: Upgrade", b"connection: keep-alive, UPGRADE")
    assert (await answer_of(node, raw))[0] == 101


HEADERS = [
    b"Host", b"Origin", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"Authorization",
    b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Upgrade", b"Connection", b"X-Any",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=[header.decode() for header in HEADERS])
async def test_i9_any_byte_in_any_header_never_kills(node: Node, header: bytes) -> None:
    """0x00 to 0xFF each: whatever is answered, the node lives and serves."""
    for byte in range(256):
        line = await Line.dial(node.edge)
        raw = b"\r\n".join(
            row for row in GOOD.split(b"\r\n") if not row.startswith(header + b":")
        ).replace(b"\r\n\r\n", b"\r\n" + header + b": a" + bytes([byte]) + b"b\r\n\r\n")
        line.send_raw(raw if raw.endswith(b"\r\n\r\n") else raw + b"\r\n\r\n")
        try:
            status, _, _ = await line.http_response()
            assert status in {101, 400, 403, 426}, (header, byte)
        except Ended:
            pass  # closed without a word is allowed for what is no HTTP
        line.abort()
    assert node.running()


@pytest.mark.parametrize(
    "value",
    [
        ", ".join(f"p{number}" for number in range(3000)),
        "," * 5000,
        "hivewire.bearer.",
        "hivewire.bearer." + "x" * 8000,
        ", ".join(["hivewire.v1.json"] * 500),
    ],
    ids=["3000 names", "5000 commas", "empty bearer", "huge bearer", "500 times the same"],
)
async def test_i9_odd_subprotocol_lists_never_kill(node: Node, value: str) -> None:
    raw = request(headers=[("Sec-WebSocket-Protocol", value)])[0]
    status, _ = await answer_of(node, raw)
    assert status in {101, 400, 431}


@pytest.mark.parametrize(
    "value",
    [
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=99999999999999999999",
        "permessage-deflate; client_max_window_bits=abc",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        'permessage-deflate; server_max_window_bits="9',
        "permessage-deflate; unheard_of=1",
        "permessage-deflate;;;;,,,;=;",
        "x-webkit-deflate-frame",
        "; ".join(["permessage-deflate"] * 400),
    ],
)
async def test_i9_odd_extensions_are_declined(
    start_node: Callable[..., Node], node: Node, value: str
) -> None:
    raw = request(headers=[("Sec-WebSocket-Extensions", value)])[0]
    status, headers = await answer_of(node, raw)
    assert status == 101
    assert "sec-websocket-extensions" not in headers


async def test_i9_odd_extensions_are_declined_where_deflate_is_on(
    start_node: Callable[..., Node],
) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__DEFLATE": "true"})
    for value in ("permessage-deflate; server_max_window_bits=7", "permessage-deflate; what=1"):
        raw = request(headers=[("Sec-WebSocket-Extensions", value)])[0]
        status, headers = await answer_of(node, raw)
        assert (status, headers.get("sec-websocket-extensions")) == (101, None)
        raw = request(headers=[("Sec-WebSocket-Extensions", f"{value}, permessage-deflate")])[0]
        status, headers = await answer_of(node, raw)
        assert headers["sec-websocket-extensions"].startswith("permessage-deflate")


async def test_a_request_in_single_bytes_is_taken(node: Node) -> None:
    line = await Line.dial(node.edge)
    for byte in GOOD:
        line.send_raw(bytes([byte]))
        await line.writer.drain()
        await asyncio.sleep(0)
    assert (await line.http_response())[0] == 101
    line.abort()


async def test_frames_right_behind_the_request_are_taken(node: Node, name: Name) -> None:
    """A client may send its connect without waiting for the 101? It may not, but its bytes are not
    lost.
    """
    import json

    from tests.e2e.rfc6455 import encode

    connect = {"op": "connect", "id": 1, "token": token(name("ann")), "device": "phone"}
    line = await Line.dial(node.edge)
    line.send_raw(GOOD + encode(TEXT, json.dumps(connect).encode()))
    assert (await line.http_response())[0] == 101
    assert json.loads((await line.frame()).payload)["op"] == "connected"
    line.abort()


# -- origins, limits, time --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("same", 101),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("nonsense", 403),
    ],
)
async def test_origins_default_to_the_same_host(node: Node, origin: str, status: int) -> None:
    host = f"{node.edge[0]}:{node.edge[1]}"
    value = f"http://{host}" if origin == "same" else origin
    raw = request(headers=[("Origin", value)], host=host)[0]
    assert (await answer_of(node, raw))[0] == status


async def test_origins_of_the_list_are_allowed(start_node: Callable[..., Node]) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__ORIGINS": "https://chat.example"})
    for origin, status in (("https://chat.example", 101), ("https://other.example", 403)):
        raw = request(headers=[("Origin", origin)])[0]
        assert (await answer_of(node, raw))[0] == status


async def test_i8_too_many_connections_are_told_to_come_later(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_LIMITS__MAX_CONNECTIONS": "4"})
    lines = [await Stranger.join(node, name(f"u{at}")) for at in range(4)]
    with pytest.raises(Refused) as refused:
        await Stranger.join(node, name("late"))
    assert refused.value.status in (429, 503)
    assert int(refused.value.headers["retry-after"]) > 0
    await lines[0].leave()
    await asyncio.sleep(0.2)
    async with await Stranger.join(node, name("late")) as late:
        await late.send(f"user:{name('u1')}", "in", key())
    for line in lines[1:]:
        await line.leave()


@pytest.mark.parametrize("stage", ["nothing", "half a request", "upgraded", "pings"])
async def test_i9_who_does_not_connect_in_time_is_closed(
    start_node: Callable[..., Node], stage: str
) -> None:
    node = start_node(env={"HIVEWIRE_LIMITS__OPENING_TIME": "700ms"})
    started = time.monotonic()
    if stage in ("nothing", "half a request"):
        line = await Line.dial(node.edge)
        line.send_raw(b"" if stage == "nothing" else GOOD[:30])
        await line.expect_end(5)
    else:
        stranger = await Stranger.dial(node)
        pinging = asyncio.create_task(_ping_on(stranger)) if stage == "pings" else None
        await stranger.expect_closed(4502, patience=5)
        if pinging is not None:
            pinging.cancel()
    assert 0.5 < time.monotonic() - started < 2.5


async def _ping_on(stranger: Stranger) -> None:
    while True:
        stranger.tell("ping")
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("how", ["one message", "many messages", "a frame announced"])
async def test_i9_more_than_4_kib_before_connect_is_4502(node: Node, how: str) -> None:
    stranger = await Stranger.dial(node)
    if how == "one message":
        stranger.tell("connect", id=1, device="phone", token="x" * 5000)
    elif how == "many messages":
        for _ in range(6):
            stranger.tell("dance", id=1, with_=["x" * 900])
            await asyncio.sleep(0.01)
    else:
        stranger.line.send_raw(b"\x81\xfe\x20\x00" + b"mask" + b"x" * 5000)
    await stranger.expect_closed(4502)


async def test_the_node_still_serves(node: Node, name: Name) -> None:
    for encoding in SUBPROTOCOLS:
        async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
            await ann.send(f"user:{name('ann')}", "x", key())
