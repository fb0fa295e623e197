"""A process that holds sockets: `python -m loadtest.fleet.crew FD` obeys the other end of FD.

It has a file table, an event loop and an interpreter of its own, free of gevent. It ends with its
parent.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import socket
import sys
import traceback
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import uvloop
from loadtest.fleet import wire
from loadtest.fleet.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from loadtest.fleet.fleet import Fleet

REPORT_SECONDS: Final = 1.0
LAG_SECONDS: Final = 0.02
SILENCE_SECONDS: Final = 5.0


class Crew:
    """All fleets of this process, their common tally, and the pipe to Locust."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tally = Tally()
        self._fleets: dict[int, Fleet] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._target: wire.Target | None = None
        self._gate = asyncio.Semaphore()
        self._silent = 0

    async def run(self) -> None:
        """Carry out orders until the pipe ends."""
        for work in (self._report(), self._watch_lag(), self._watch_silence()):
            self._begin(work)
        try:
            while True:
                prefix = await self._reader.readexactly(wire.PREFIX_BYTES)
                body = await self._reader.readexactly(int.from_bytes(prefix, "big"))
                self._obey(wire.order(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def _obey(self, order: wire.Order) -> None:
        match order:
            case wire.Begin(target):
                self._target = target
                self._gate = asyncio.Semaphore(target.openings)
            case wire.Enlist():
                self._begin(self._enlist(order), order.fleet)
            case wire.Cut():
                for fleet in self._fleets.values():
                    fleet.cut(order.share, order.away, order.spread)
            case wire.Settle(seconds, number):
                for each in self._fleets if number < 0 else [number]:
                    self._begin(self._settle(each, seconds), each)
            case wire.Await():
                for fleet in self._fleets.values():
                    fleet.goes_down()
            case wire.Dismiss(number):
                self._begin(self._dismiss(number), number)

    async def _enlist(self, order: wire.Enlist) -> None:
        assert self._target is not None, "the first order says where to connect to"
        scenario = _scenario(order.path, order.name)
        fleet = scenario(
            order.fleet, order.first, order.size, self._target, self._tally, self._gate
        )
        self._fleets[order.fleet] = fleet
        self._begin(fleet.sweep(), order.fleet)
        await fleet.come()
        # Clients stay: the collector need not walk over them again and again.
        gc.freeze()
        self._tell(wire.Up(order.fleet))

    async def _settle(self, number: int, seconds: float) -> None:
        late = await self._fleets[number].settle(seconds)
        # What was found goes out before the word that it was looked for.
        self._report_now()
        self._tell(wire.Settled(number, late))

    async def _dismiss(self, number: int) -> None:
        fleet = self._fleets.pop(number, None)
        if fleet is not None:
            await fleet.end()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._report_now()

    def _report_now(self) -> None:
        standing = sum(fleet.standing for fleet in self._fleets.values())
        gone = sum(len(fleet.cut_off) for fleet in self._fleets.values())
        self._tell(self._tally.take(standing=standing, silent=self._silent, gone=gone))

    async def _watch_lag(self) -> None:
        while True:
            due = monotonic() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self._tally.sample("loop lag", max(0.0, monotonic() - due))

    async def _watch_silence(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_SECONDS)
            self._silent = sum(fleet.silent() for fleet in self._fleets.values())

    def _tell(self, news: wire.News) -> None:
        self._writer.write(wire.pack(news))

    def _begin(self, work: Coroutine[Any, Any, None], fleet: int = -1) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, fleet))

    def _ended(self, task: asyncio.Task[None], fleet: int) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(wire.Failed(fleet, "".join(traceback.format_exception(error))))


def _scenario(path: str, name: str) -> type[Fleet]:
    """The class of a scenario's file; each file is imported once."""
    module = sys.modules.get(path)
    if module is None:
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        assert spec is not None, path
        assert spec.loader is not None, path
        module = importlib.util.module_from_spec(spec)
        sys.modules[path] = module
        spec.loader.exec_module(module)
    return getattr(module, name)


async def _main(descriptor: int) -> None:
    pipe = socket.socket(fileno=descriptor)
    pipe.setblocking(False)  # noqa: FBT003 - the only way to say it
    reader, writer = await asyncio.open_connection(sock=pipe)
    await Crew(reader, writer).run()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
