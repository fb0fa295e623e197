"""TLS on the edge: who speaks it gets in, who does not is told, and nobody pays for the others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from hivewire.client import Client
from hivewire.gateway import Engine, EngineSettings
from tests.certificates import Pair, issue
from tests.e2e.rfc6455 import CLOSE, TEXT, Ended, Line, request
from tests.e2e.stranger import Stranger, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.node import Node

SOON = "300ms"
WAIT = 10.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return issue(tmp_path_factory.mktemp("tls"))


def echoing(pair: Pair, tls_handshakes: tuple[int, int] = (0, 0)) -> EngineSettings:
    return EngineSettings(
        address="127.0.0.1:0",
        shards=1,
        tls=(str(pair.cert), str(pair.key)),
        tls_handshakes=tls_handshakes,
        path="/",
        subprotocols=False,
        echo=True,
        max_message=4 << 20,
        control_per_second=0,
    )


@pytest.fixture
def echo(pair: Pair) -> Iterator[tuple[Engine, tuple[str, int]]]:
    """A bare engine that sends back what it is sent."""
    engine = Engine(echoing(pair))
    yield engine, engine.listen()
    engine.stop()


async def dial(edge: tuple[str, int], context: ssl.SSLContext, path: str = "/") -> Line:
    """A line through Python's own TLS, upgraded."""
    line = Line(*await asyncio.open_connection(*edge, ssl=context, limit=1 << 23))
    line.writer.write(request(path)[0])
    assert (await line.http_response())[0] == 101
    return line


async def join(node: Node, user: str, context: ssl.SSLContext) -> Stranger:
    line = await dial(node.edge, context, "/v1/ws")
    stranger = Stranger(line, "json")
    await stranger.connect(token=token(user), device="phone")
    return stranger


async def echoed(line: Line, payload: bytes) -> None:
    line.send(TEXT, payload)
    assert (await line.frame()).payload == payload


async def test_two_talk_over_tls_by_python_ssl_and_by_the_client(
    start_node: Callable[..., Node], pair: Pair
) -> None:
    node = start_node(env=pair.env)
    url = "wss://{}:{}/v1/ws".format(*node.edge)
    bob = Client(url, token("bob"), device="desk", ssl=pair.trusted())
    async with await join(node, "ann", pair.trusted()) as ann, bob:
        for text in ("first", "x" * 16_000, "last"):
            await ann.send("user:bob", text, key())
            event = await asyncio.wait_for(anext(bob), WAIT)
            assert (event.sender, event.text) == ("ann", text)
        await bob.send("user:ann", text="back")
        assert (await ann.event())["text"] == "back"


async def test_a_client_that_does_not_trust_the_certificate_does_not_connect(
    start_node: Callable[..., Node], pair: Pair
) -> None:
    node = start_node(env=pair.env)
    url = "wss://{}:{}/v1/ws".format(*node.edge)
    with pytest.raises(OSError, match="certificate"):
        async with Client(url, token("bob")):
            pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_what_is_longer_than_every_buffer_comes_back_whole(
    echo: tuple[Engine, tuple[str, int]], pair: Pair, version: ssl.TLSVersion
) -> None:
    context = pair.trusted()
    context.minimum_version = context.maximum_version = version
    line = await dial(echo[1], context)
    assert line.writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
    for size in (0, 1, 16_384, 65_536, 200_000, 3_000_000):
        await echoed(line, b"s" * size)
    line.close()
    assert (await line.frame()).opcode == CLOSE
    await line.expect_end()


async def test_older_versions_are_refused(echo: tuple[Engine, tuple[str, int]], pair: Pair) -> None:
    context = pair.trusted()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await dial(echo[1], context)
    await echoed(await dial(echo[1], pair.trusted()), b"the next one")


async def test_alpn_is_http_1_1_or_nothing(
    echo: tuple[Engine, tuple[str, int]], pair: Pair
) -> None:
    context = pair.trusted()
    context.set_alpn_protocols(["h2", "http/1.1"])
    line = await dial(echo[1], context)
    assert line.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await dial(echo[1], context)


async def test_a_ticket_resumes_the_session(
    echo: tuple[Engine, tuple[str, int]], pair: Pair
) -> None:
    """TLS 1.2, where Python's client has the ticket before it speaks."""
    context = pair.trusted()
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def session(resumed: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
        with socket.create_connection(echo[1], WAIT) as raw:
            tls = context.wrap_socket(raw, server_hostname="localhost", session=resumed)
            with tls:
                return bool(tls.session_reused), tls.session

    reused, first = await asyncio.to_thread(session, None)
    assert not reused
    reused, _ = await asyncio.to_thread(session, first)
    assert reused


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"GET /v1/ws HTTP/1.1\r\nHost: node\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"\x16\x03\x01\x00\x05hello", b""),
        (b"\x00" * 200, b"\x15\x03"),
        (b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000, b"\x15\x03"),
    ],
)
async def test_what_is_no_tls_is_answered_and_ended(
    echo: tuple[Engine, tuple[str, int]], pair: Pair, said: bytes, heard: bytes
) -> None:
    reader, writer = await asyncio.open_connection(*echo[1])
    writer.write(said)
    answer = await asyncio.wait_for(reader.read(-1), WAIT)
    assert answer.startswith(heard)
    writer.close()
    await echoed(await dial(echo[1], pair.trusted()), b"the next one")
    assert echo[0].stats()["tls_failures_total"] == 1
    assert echo[0].stats()["panics_total"] == 0


async def test_a_record_that_was_tampered_with_ends_the_line(
    echo: tuple[Engine, tuple[str, int]], pair: Pair
) -> None:
    line = await dial(echo[1], pair.trusted())
    descriptor = line.writer.get_extra_info("socket").fileno()
    os.write(descriptor, b"\x17\x03\x03\x00\x20" + b"?" * 32)
    with pytest.raises((Ended, ssl.SSLError)):
        await line.frame()
    assert echo[0].stats()["tls_failures_total"] == 1


async def test_a_handshake_byte_by_byte_gets_in(
    echo: tuple[Engine, tuple[str, int]], pair: Pair
) -> None:
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = pair.trusted().wrap_bio(inward, outward, server_hostname="localhost")
    reader, writer = await asyncio.open_connection(*echo[1])
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def push() -> None:
        for byte in outward.read():
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)

    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            await push()
            inward.write(await asyncio.wait_for(reader.read(65_536), WAIT))
    tls.write(request("/")[0])
    await push()
    answer = b""
    while b"\r\n\r\n" not in answer:
        inward.write(await asyncio.wait_for(reader.read(65_536), WAIT))
        try:
            answer += tls.read(65_536)
        except ssl.SSLWantReadError:
            continue
    assert answer.startswith(b"HTTP/1.1 101 ")
    writer.close()


async def test_a_handshake_has_the_opening_time_and_no_more(
    start_node: Callable[..., Node], pair: Pair
) -> None:
    node = start_node(env=pair.env | {"HIVEWIRE_LIMITS__OPENING_TIME": SOON})
    silent = await asyncio.open_connection(*node.edge)
    half = await asyncio.open_connection(*node.edge)
    half[1].write(b"\x16\x03\x01\x02\x00")
    for reader, writer in (silent, half):
        assert await asyncio.wait_for(reader.read(-1), WAIT) == b""
        writer.close()


async def test_a_new_certificate_is_for_new_lines_and_the_old_ones_stay(
    echo: tuple[Engine, tuple[str, int]], pair: Pair, tmp_path: Path
) -> None:
    engine, edge = echo
    old = await dial(edge, pair.trusted())
    renewed = issue(tmp_path, "renewed")
    with pytest.raises(OSError, match="nowhere"):
        engine.reload_tls(str(tmp_path / "nowhere.crt"), str(renewed.key))
    with pytest.raises(OSError, match="KeyMismatch"):
        engine.reload_tls(str(pair.cert), str(renewed.key))
    await echoed(await dial(edge, pair.trusted()), b"still the old one")
    engine.reload_tls(str(renewed.cert), str(renewed.key))
    await echoed(await dial(edge, renewed.trusted()), b"new")
    with pytest.raises(ssl.SSLCertVerificationError):
        await dial(edge, pair.trusted())
    await echoed(old, b"as before")


async def test_a_reload_of_the_node_reads_the_certificate_again(
    start_node: Callable[..., Node], tmp_path: Path
) -> None:
    pair = issue(tmp_path)
    node = start_node(env=pair.env)
    ann = await join(node, "ann", pair.trusted())
    renewed = issue(tmp_path)
    os.kill(node.pid, signal.SIGHUP)
    async with asyncio.timeout(WAIT):
        while True:
            with contextlib.suppress(ssl.SSLCertVerificationError):
                bob = await join(node, "bob", renewed.trusted())
                break
            await asyncio.sleep(0.05)
    await ann.send("user:bob", "as before", key())
    assert (await bob.event())["text"] == "as before"


async def test_a_slow_reader_over_tls_gets_every_byte(
    echo: tuple[Engine, tuple[str, int]], pair: Pair
) -> None:
    """The kernel takes a part of a record: the rest of it goes first, and is not sealed again."""
    line = await dial(echo[1], pair.trusted())
    transport = line.writer.transport
    transport.pause_reading()  # type: ignore[attr-defined]
    payloads = [bytes([65 + number % 26]) * (1 << 20) for number in range(12)]
    for payload in payloads:
        line.send(TEXT, payload)
    await asyncio.sleep(0.3)
    transport.resume_reading()  # type: ignore[attr-defined]
    for payload in payloads:
        assert (await line.frame()).payload == payload


async def test_more_handshakes_than_the_rate_wait_for_their_turn(pair: Pair) -> None:
    engine = Engine(echoing(pair, tls_handshakes=(20, 1)))
    edge = engine.listen()
    try:
        lines = await asyncio.gather(*(dial(edge, pair.trusted()) for _ in range(6)))
        for line in lines:
            await echoed(line, b"inside")
        assert engine.stats()["tls_queued_total"] > 0
        assert engine.stats()["tls_handshakes_total"] == 6
    finally:
        engine.stop()
