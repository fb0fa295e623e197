"""Connections of the api listener: how long one may be silent, and not read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hivewire.api.line import line_class

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
QUICK = {"body_time": "100ms"}
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


async def dial(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = await site.node.api.start()
    return await asyncio.open_connection(address.host, address.port)


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the line ends."""
    found = b""
    try:
        while data := await asyncio.wait_for(reader.read(4096), 10):
            found += data
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize("said", [b"", GET[:20]])
def test_who_does_not_end_his_head_is_cut(tmp_path: Path, said: bytes) -> None:
    async def tell(site: Site) -> None:
        reader, writer = await dial(site)
        writer.write(said)
        assert await end_of(reader) == b""
        writer.close()

    story(tmp_path, tell, api=QUICK)


def test_nor_may_a_later_head_take_for_ever(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        reader, writer = await dial(site)
        writer.write(GET)
        await asyncio.wait_for(reader.readuntil(b'"live"}'), 10)
        writer.write(GET[:20])
        assert await end_of(reader) == b""
        writer.close()

    story(tmp_path, tell, api=QUICK)


def test_who_waits_for_his_answer_is_not_silent(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        reader, writer = await dial(site)
        token = site.bearer("ann")["Authorization"].encode()
        poll = (
            b"GET /api/v1/events?after=0&wait=0.4 HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n"
        )
        writer.write(poll % token)
        answer = await asyncio.wait_for(reader.readuntil(b'"epoch"'), 10)
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()

    story(tmp_path, tell, api=QUICK)


def test_i8_who_does_not_read_is_cut(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for n in range(16):
            await site.says("ann", "user:ann", f"{n}" + "x" * 15_000)
        site.node.api._server.config.http = line_class(10_000, stall_s=0.2)
        reader, writer = await dial(site)
        token = site.bearer("ann")["Authorization"].encode()
        ask = b"GET /api/v1/events?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % token
        writer.transport.pause_reading()
        writer.write(ask * 100)
        server = site.node.api._server.server_state
        while not server.connections:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        while server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        writer.transport.abort()
        del reader

    story(tmp_path, tell)
