"""One line: objects in, objects out, and how it ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from picows import WSMsgType

from hivewire.client.connection import JSON, MAX_MESSAGE, Connection, Refused
from tests.unit.client.peer import Line, Peer, listening

pytestmark = pytest.mark.unit


async def opened(peer: Peer) -> tuple[Connection, Line, list[dict[str, Any]]]:
    received: list[dict[str, Any]] = []
    connection = await Connection.open(peer.url, JSON, received.append)
    return connection, await peer.line(), received


async def ended(connection: Connection) -> tuple[int, str]:
    return await asyncio.wait_for(connection.wait_ended(), 10)


def test_objects_go_both_ways() -> None:
    async def story() -> None:
        async with listening() as peer:
            connection, line, received = await opened(peer)
            connection.send({"op": "ping"})
            await line.receive("ping")
            line.send("pong", head=4)
            line.close(4000, "drain")
            assert await ended(connection) == (4000, "drain")
            assert received == [{"op": "pong", "head": 4}]
            assert await line.closed_with == 4000

    asyncio.run(story())


def test_a_message_in_fragments_is_one_object() -> None:
    async def story() -> None:
        async with listening() as peer:
            connection, line, received = await opened(peer)
            line.transport.send(WSMsgType.TEXT, b'{"op":', fin=False)
            line.transport.send(WSMsgType.PING, b"between")
            line.transport.send(WSMsgType.CONTINUATION, b'"po', fin=False)
            line.transport.send(WSMsgType.CONTINUATION, b'ng"}')
            line.close(1000)
            await ended(connection)
            assert received == [{"op": "pong"}]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(WSMsgType.BINARY, b"x", True)], 1003),
        ([(WSMsgType.CONTINUATION, b"x", True)], 1002),
        ([(WSMsgType.TEXT, b"{", False), (WSMsgType.TEXT, b"}", True)], 1002),
        ([(WSMsgType.TEXT, b"{", True)], 1007),
        ([(WSMsgType.TEXT, b"[]", True)], 1007),
        ([(WSMsgType.TEXT, b'"\xff"', True)], 1007),
        ([(WSMsgType.TEXT, b"[" * 5000, True)], 1007),
        (
            [
                (WSMsgType.TEXT, b"x" * (MAX_MESSAGE - 1), False),
                (WSMsgType.CONTINUATION, b"xx", True),
            ],
            1009,
        ),
    ],
)
def test_what_the_protocol_forbids_ends_the_line(frames: list[Any], code: int) -> None:
    async def story() -> None:
        async with listening() as peer:
            connection, line, received = await opened(peer)
            for kind, payload, fin in frames:
                line.transport.send(kind, payload, fin=fin)
            assert await line.closed_with == code
            assert (await ended(connection))[0] == code
            assert received == []

    asyncio.run(story())


def test_a_line_that_is_cut_has_no_code() -> None:
    async def story() -> None:
        async with listening() as peer:
            connection, line, _ = await opened(peer)
            line.transport.disconnect()
            assert await ended(connection) == (1006, "")
            connection.send({"op": "ping"})
            connection.close()

    asyncio.run(story())


def test_nobody_there_is_a_connection_error() -> None:
    async def story() -> None:
        with pytest.raises(OSError, match=r".+"):
            await Connection.open("ws://127.0.0.1:1/v1/ws", JSON, lambda _: None)

    asyncio.run(story())


def test_an_upgrade_that_is_refused_says_when_to_come_again() -> None:
    async def story() -> None:
        async with listening() as peer:
            peer.refuse, peer.retry_after = 2, "7"
            with pytest.raises(Refused) as refused:
                await Connection.open(peer.url, JSON, print)
            assert (refused.value.status, refused.value.retry_after) == (503, 7)
            peer.retry_after = "Fri, 31 Dec 1999 23:59:59 GMT"
            with pytest.raises(Refused) as refused:
                await Connection.open(peer.url, JSON, print)
            assert refused.value.retry_after == 0

    asyncio.run(story())
