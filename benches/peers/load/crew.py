"""Connections of one process that work on a server in a closed loop, and what they count.

What they do is the same whatever they speak: each stands at its own inbox (`fanout`: all at one),
writes to itself (`echo`), to everybody (`fanout`) or to its partner (`messages`: 2k and 2k + 1),
and writes the next when the last has arrived or was answered. A payload is a counter of ten digits
and padding. A broken promise is a fault: lost, doubled, out of order, refused.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS: Final = 10
PUBLISHER: Final = 0
EVERYBODY: Final = "all"
CONCURRENCY: Final = 64


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, user and system."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[0])
        except OSError:
            continue  # the thread has ended meanwhile
    return total / 1e9


class Line(asyncio.Protocol):
    """One connection; a dialect fills in what it says."""

    answers: ClassVar[bool] = False
    """Whether the server answers a stored message; else it counts when it has arrived."""

    def __init__(self, crew: Crew, number: int) -> None:
        self.crew = crew
        self.number = number
        self.inbox = EVERYBODY if crew.work == "fanout" else f"u{number}"
        self.standing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.sent = 0
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self.hello()

    def data_received(self, data: bytes) -> None:
        """Give the dialect what has come, and keep what it could not use yet."""
        self.buffer = self.feed(self.buffer + data if self.buffer else data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody hangs up but we."""
        if not self.crew.ending:
            self.crew.faults["connection lost"] += 1
        if not self.standing.done():
            self.standing.set_exception(exc or ConnectionError("hung up during the handshake"))

    def stands(self) -> None:
        """It is reachable."""
        if not self.standing.done():
            self.standing.set_result(None)

    def hello(self) -> None:
        """Write what begins a connection."""
        raise NotImplementedError

    def feed(self, data: bytes) -> bytes:
        """Work through `data`; returns what is not whole yet."""
        raise NotImplementedError

    def publish(self, inbox: str, payload: bytes) -> None:
        """Write a message for everybody at `inbox`; in `messages` it is to be kept."""
        raise NotImplementedError


class Crew:
    """All connections of one run."""

    def __init__(self, work: str, connections: int, in_flight: int, size: int) -> None:
        self.work = work
        self.connections = connections
        self.in_flight = in_flight
        self.padding = b"x" * max(0, size - DIGITS)
        self.lines = list[Line]()
        self.arrivals = Counter[int]()
        self.operations = 0
        self.running = False
        self.ending = False
        self.faults = Counter[str]()

    async def connect(self, dialect: type[Line], address: tuple[str, int]) -> None:
        """Bring everybody up, a few at a time. Raises OSError when somebody cannot come."""
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(CONCURRENCY)

        async def one(number: int) -> Line:
            async with gate:
                _, line = await loop.create_connection(lambda: dialect(self, number), *address)
                await asyncio.wait_for(line.standing, 60)
                return line

        # The first one alone: it makes the room or stream that the others come to.
        self.lines = [await one(0)]
        self.lines += await asyncio.gather(*(one(at) for at in range(1, self.connections)))

    def begin(self) -> None:
        """Fill every window."""
        self.running = True
        writers: Sequence[Line] = self.lines[:1] if self.work == "fanout" else self.lines
        for _ in range(self.in_flight):
            for line in writers:
                self.send(line)

    def send(self, line: Line) -> None:
        """Write the line's next message."""
        if not self.running or line.transport.is_closing():
            return
        line.sent += 1
        inbox = f"u{line.number ^ 1}" if self.work == "messages" else line.inbox
        line.publish(inbox, b"%010d" % line.sent + self.padding)

    def answered(self, line: Line) -> None:
        """The server has the line's message."""
        self.operations += 1
        self.send(line)

    def arrived(self, line: Line, payload: bytes) -> None:
        """A message has reached the line."""
        counter = int(payload[:DIGITS])
        if counter != line.received + 1:
            self.faults["lost, doubled or out of order"] += 1
        line.received = counter
        if self.work == "fanout":
            self._everywhere(counter)
        elif self.work == "echo":
            self.answered(line)
        elif not line.answers:
            self.answered(self.lines[line.number ^ 1])

    def _everywhere(self, counter: int) -> None:
        self.operations += 1
        self.arrivals[counter] += 1
        if self.arrivals[counter] == self.connections:
            del self.arrivals[counter]
            self.send(self.lines[PUBLISHER])

    async def measure(self, pid: int, warm: float, seconds: float) -> dict[str, Any]:
        """Run the loop; figures of the window after `warm`."""
        self.begin()
        await asyncio.sleep(warm)
        me = os.getpid()
        before = (time.monotonic(), cpu_seconds(pid), cpu_seconds(me), self.operations)
        await asyncio.sleep(seconds)
        after = (time.monotonic(), cpu_seconds(pid), cpu_seconds(me), self.operations)
        self.running = False
        took, server, client, operations = (
            new - old for new, old in zip(after, before, strict=True)
        )
        if not operations:
            self.faults["nothing arrived"] += 1
        return {
            "operations": operations,
            "operations_per_second": operations / took,
            "server_cpu_us_per_operation": server * 1e6 / max(1, operations),
            "server_busy": server / took,
            "client_busy": client / took,
        }

    def end(self) -> None:
        """Hang up."""
        self.ending = True
        for line in self.lines:
            line.transport.abort()
