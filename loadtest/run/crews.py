"""Locust's end of the processes with the sockets: starts them, spreads fleets, adds up news."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from loadtest.fleet import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.fleet.histogram import Buckets

ROOT: Final = Path(__file__).resolve().parents[2]
SOCKETS_EACH: Final = 13_000
"""Clients of one process: each has a table of, commonly, 20,000 open files."""
WAIT_SECONDS: Final = 600.0
END_SECONDS: Final = 20.0


class CrewFailed(Exception):
    """A process ended, or a scenario's own code raised."""


@dataclass
class Crew:
    """One process, and how things stood in its last report."""

    process: subprocess.Popen[bytes]
    pipe: socket.socket
    clients: int = 0
    standing: int = 0
    silent: int = 0
    gone: int = 0
    resident: int = 0
    cpu: float = 0.0


@dataclass
class Books:
    """What all crews told, by phase of the run."""

    samples: defaultdict[tuple[str, str], Buckets] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    counts: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class Crews:
    """All processes of this run.

    Args:
        target: the node.
        heard: called with every report, for Locust's own statistics.
        at_least: processes to spread over from the start.
    """

    def __init__(
        self, target: wire.Target, heard: Callable[[wire.Report], None], at_least: int
    ) -> None:
        self.target = target
        self.phase = "ramp"
        self.books = Books()
        self.all: list[Crew] = []
        self._heard = heard
        self._at_least = at_least
        self._up: dict[int, Event] = {}
        self._settled: dict[int, Event] = {}
        self._where: dict[int, tuple[Crew, int]] = {}
        self._failed: str | None = None
        self._ending = False
        self._next = 0
        # Starting a process lets other greenlets run, which must not start one as well.
        self._placing = BoundedSemaphore()

    # -- fleets ------------------------------------------------------------------------------------

    def enlist(self, path: str, name: str, size: int) -> int:
        """Have a fleet come up; its number."""
        with self._placing:
            crew = self._place(size)
            crew.clients += size
        number = len(self._up)
        self._up[number], self._settled[number] = Event(), Event()
        self._where[number] = crew, size
        self._send(crew, wire.Enlist(number, str(Path(path).resolve()), name, size, self._next))
        self._next += size
        return number

    def wait_up(self, number: int) -> None:
        """Wait until all clients of a fleet are live."""
        self._wait(self._up[number], f"fleet {number} did not come up")

    def wanted(self) -> int:
        """Clients that should be connected now."""
        return sum(crew.clients for crew in self.all)

    def standing(self) -> int:
        """Clients that were connected at the last report."""
        return sum(crew.standing for crew in self.all)

    def gone(self) -> int:
        """Clients that were cut and were not back at the last report."""
        return sum(crew.gone for crew in self.all)

    def are_up(self, fleets: int) -> bool:
        """Whether just so many fleets are there, with all their clients."""
        self._raise_failure()
        return len(self._where) == fleets and all(
            self._up[number].is_set() for number in self._where
        )

    def cut(self, share: float, away: float, spread: float) -> None:
        """Cut a share of all lines; each comes back after `away` + 0…`spread` seconds."""
        for crew in self.all:
            self._send(crew, wire.Cut(share, away, spread))

    def settle(self, number: int, seconds: float = 60.0) -> None:
        """Have one fleet settle, and wait for it."""
        self._send(self._where[number][0], wire.Settle(seconds, number))
        self._wait(self._settled[number], f"fleet {number} did not settle")

    def settle_all(self, seconds: float) -> None:
        """Have all fleets settle, and wait for them."""
        for crew in self.all:
            self._send(crew, wire.Settle(seconds))
        for number in self._where:
            self._wait(self._settled[number], f"fleet {number} did not settle")

    def await_end_of_node(self) -> None:
        """Lines that the node closes from now on are no failures."""
        for crew in self.all:
            self._send(crew, wire.Await())

    def dismiss(self, number: int) -> None:
        """Close a fleet."""
        crew, size = self._where.pop(number)
        crew.clients -= size
        self._send(crew, wire.Dismiss(number))

    # -- processes ---------------------------------------------------------------------------------

    def _place(self, size: int) -> Crew:
        fits = [crew for crew in self.all if crew.clients + size <= SOCKETS_EACH]
        if len(self.all) < self._at_least or not fits:
            return self._start()
        return min(fits, key=lambda crew: crew.clients)

    def _start(self) -> Crew:
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [sys.executable, "-m", "loadtest.fleet.crew", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        crew = Crew(process, ours)
        self.all.append(crew)
        gevent.spawn(self._listen, crew)
        self._send(crew, wire.Begin(self.target))
        return crew

    def _listen(self, crew: Crew) -> None:
        stream = crew.pipe.makefile("rb")
        try:
            while prefix := stream.read(wire.PREFIX_BYTES):
                self._take(crew, wire.news(stream.read(int.from_bytes(prefix, "big"))))
        except OSError:
            # Closed at the end of the run, or the process died: told apart below.
            pass
        if not self._ending:
            self._failed = self._failed or "a process that held sockets has ended"

    def _take(self, crew: Crew, news: wire.News) -> None:
        match news:
            case wire.Up(number):
                self._up[number].set()
            case wire.Settled(number):
                self._settled[number].set()
            case wire.Failed(number, words):
                self._failed = f"fleet {number}: {words}"
            case wire.Report():
                crew.standing, crew.silent, crew.gone = news.standing, news.silent, news.gone
                crew.resident, crew.cpu = news.resident, news.cpu
                self._add(news)
                self._heard(news)

    def _add(self, report: wire.Report) -> None:
        for name, buckets in report.samples.items():
            self.books.samples[self.phase, name].update(buckets)
        self.books.counts.update(report.counts)
        for name, why, count in report.failures:
            self.books.failures[name, why] += count
        self.books.examples += report.examples

    def _send(self, crew: Crew, order: wire.Order) -> None:
        try:
            crew.pipe.sendall(wire.pack(order))
        except OSError as error:
            raise CrewFailed("a process that held sockets has ended") from error

    def _wait(self, event: Event, words: str) -> None:
        deadline = gevent.get_hub().loop.now() + WAIT_SECONDS
        while not event.wait(0.5):
            self._raise_failure()
            if gevent.get_hub().loop.now() > deadline:
                raise CrewFailed(words)

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise CrewFailed(self._failed)

    def end(self) -> None:
        """Close all pipes; the processes end by themselves, or are ended."""
        self._ending = True
        for crew in self.all:
            crew.pipe.shutdown(socket.SHUT_RDWR)
        for crew in self.all:
            try:
                crew.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                crew.process.kill()
                crew.process.wait()
