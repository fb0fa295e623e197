"""The client learns how long its line may be silent, against a real node behind a NAT that forgets.

Time is scaled: the NAT forgets within a second what real ones forget within minutes, and the client
gets bounds to fit. C2, R8. The learning itself is shown in tests/unit/client/test_adaptive.py, in
virtual time and at full length.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from hivewire.client import Adaptive, Bounds, Client
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.node import Node

    Name = Callable[[str], str]

FAST = {"HIVEWIRE_HEARTBEAT__TIMEOUT": "250ms"}
BOUNDS = Bounds(first=0.3, lowest=0.1, highest=3.0)
PATIENCE = 30.0


class Nat:
    """A TCP proxy that drops every byte of a line that was silent for `forgets` seconds.

    It tells neither side: no RST, no FIN. That is how carriers' NATs and many proxies behave.
    """

    def __init__(self, node: Node, forgets: float) -> None:
        self.node = node
        self.forgets = forgets
        self.lines: list[NatLine] = []

    @property
    def forgotten(self) -> int:
        """How many lines were dropped."""
        return sum(line.is_forgotten for line in self.lines)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        try:
            yield f"ws://{host}:{port}/v1/ws"
        finally:
            server.close()
            for line in self.lines:
                line.end()
            await asyncio.gather(*(line.done for line in self.lines), return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = await asyncio.open_connection(*self.node.edge)
        line = NatLine(self, (reader, writer), inside)
        self.lines.append(line)


class NatLine:
    """One line through the NAT."""

    def __init__(
        self,
        nat: Nat,
        outside: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        inside: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.nat = nat
        self.is_forgotten = False
        self.last = asyncio.get_running_loop().time()
        self.writers = (outside[1], inside[1])
        self.done = asyncio.gather(
            self.carry(outside[0], inside[1]),
            self.carry(inside[0], outside[1]),
        )

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its end; what comes after a long silence goes nowhere."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                now = asyncio.get_running_loop().time()
                self.is_forgotten = self.is_forgotten or now - self.last >= self.nat.forgets
                self.last = now
                if not self.is_forgotten:
                    writer.write(data)
        if not self.is_forgotten:
            writer.close()

    def end(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


async def until(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - the NAT and the pace have nothing to wait for
            await asyncio.sleep(0.02)


async def test_c2_the_client_learns_what_the_line_allows_and_loses_nothing(
    start_node: Callable[..., Node], name: Name
) -> None:
    """It finds an interval just under T, keeps the line, and falls at once when T gets smaller."""
    node = start_node(env=FAST)
    ann, ben = name("ann"), name("ben")
    nat = Nat(node, forgets=0.6)
    pace = Adaptive(network="home", bounds=BOUNDS)
    edge = "ws://{}:{}/v1/ws".format(*node.edge)
    async with (
        nat.listening() as url,
        Client(url, token(ann), device="phone", heartbeat=pace) as phone,
        Client(edge, token(ben), device="desk") as desk,
    ):
        texts: list[str | None] = []
        reading = asyncio.create_task(collect(phone, texts))

        await desk.send(f"user:{ann}", text="at the start")
        await until(lambda: nat.forgotten >= 1)
        await desk.send(f"user:{ann}", text="into a line that is dead, perhaps")
        await until(lambda: "bad" in pace.memory()["home"] and phone.is_online)
        await until(lambda: 0.6 * 0.6 < pace.interval < 0.6)

        nat.forgets = 0.25  # the device has moved, and nobody told
        lost = nat.forgotten
        await until(lambda: nat.forgotten > lost)
        await desk.send(f"user:{ann}", text="into the void")
        await until(lambda: pace.interval < 0.25 and phone.is_online)
        assert nat.forgotten - lost <= 5, "it falls at once, not step by step"

        await desk.send(f"user:{ann}", text="at the end")
        await until(lambda: len(texts) == 4)
        reading.cancel()
        assert texts == [
            "at the start",
            "into a line that is dead, perhaps",
            "into the void",
            "at the end",
        ]


async def test_r8_a_message_sent_into_a_dead_line_arrives_once(
    start_node: Callable[..., Node], name: Name
) -> None:
    """A send that nothing follows is asked after, not left until the next heartbeat is due."""
    node = start_node(env=FAST)
    ann, ben = name("ann"), name("ben")
    nat = Nat(node, forgets=60.0)
    edge = "ws://{}:{}/v1/ws".format(*node.edge)
    async with (
        nat.listening() as url,
        Client(url, token(ann), device="phone") as phone,
        Client(edge, token(ben), device="desk", from_start=True) as desk,
    ):
        nat.forgets = 0.0
        async with asyncio.timeout(PATIENCE):
            sending = asyncio.create_task(phone.send(f"user:{ben}", text="hello"))
            await until(lambda: nat.forgotten == 1)
            nat.forgets = 60.0
            sent = await sending
            assert not sent.dup, "the first one never reached the node"
            event = await anext(desk)
        assert (event.n, event.key, event.text) == (sent.n, sent.key, "hello")


async def collect(client: Client, texts: list[str | None]) -> None:
    async for event in client:
        texts.append(event.text)  # noqa: PERF401 - it is looked at while it grows
