"""Virtual time: a heap of what happens when, and event loops whose clock it is.

    schedule = Schedule(seed)
    schedule.after(5 * MS, callback, …)
    schedule.run_until(lambda: done, limit=30 * S)

Time passes only from one thing to the next. What is due at the same instant happens in an order
that the seed decides, but for what one loop was told to call soon: that stays in its order.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import sys
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

US = 1_000
MS = 1_000_000
S = 1_000_000_000
EPOCH_NS = 1_800_000_000 * S
"""The wall clock when a simulation begins."""


class Handle:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("args", "callback", "when_ns")

    def __init__(
        self, when_ns: int, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self.when_ns = when_ns
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        return self.when_ns / S


class Schedule:
    """What happens when, in nanoseconds since the simulation began; `rng` is the only chance."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0
        self.steps = 0
        self._heap: list[tuple[int, float, int, Handle]] = []
        self._serial = count()

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` up to, not including, `high`."""
        return low + int(self.rng.random() * (high - low))

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def at(self, when_ns: int, callback: Callable[..., object], *args: Any) -> Handle:
        """Call at that time, at a seeded place among all that is due then."""
        return self._push(when_ns, self.rng.random(), callback, args)

    def after(self, ns: int, callback: Callable[..., object], *args: Any) -> Handle:
        return self._push(self.now + ns, self.rng.random(), callback, args)

    def soon(self, callback: Callable[..., object], *args: Any) -> Handle:
        """Call at this very instant, behind what was called soon before and before all else."""
        return self._push(self.now, -1.0, callback, args)

    def _push(
        self, when_ns: int, tie: float, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> Handle:
        handle = Handle(max(when_ns, self.now), callback, args)
        heapq.heappush(self._heap, (handle.when_ns, tie, next(self._serial), handle))
        return handle

    def step(self) -> bool:
        """Let the next thing happen; False if nothing is left."""
        while self._heap:
            when, _, _, handle = heapq.heappop(self._heap)
            callback = handle.callback
            if callback is None:
                continue
            self.now = when
            self.steps += 1
            callback(*handle.args)
            return True
        return False

    def run_until(self, done: Callable[[], bool], limit: int) -> bool:
        """Go on until `done`, for `limit` nanoseconds at most. Returns whether it came to that."""
        end = self.now + limit
        while not done():
            if not self._heap or self._heap[0][0] > end:
                self.now = max(self.now, end)
                return done()
            self.step()
        return True

    def run_for(self, ns: int) -> None:
        self.run_until(lambda: False, ns)


class NodeLoop(asyncio.AbstractEventLoop):
    """The event loop of one process: real futures and tasks on virtual time.

    Once `killed`, nothing that was scheduled here happens any more.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.alive = True
        self.on_death: Callable[[BaseException], None] = lambda _: None
        self._readers: dict[int, Callable[[], object]] = {}
        self._rung: set[int] = set()

    def kill(self) -> None:
        self.alive = False
        self._readers.clear()

    def run(self, callback: Callable[..., object], *args: Any) -> Any:
        """Call on this loop, as the process would; an uncaught `Killed` is its end."""
        if not self.alive:
            return None
        around = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            return callback(*args)
        except Killed as killed:
            self.on_death(killed)
        finally:
            asyncio._set_running_loop(around)

    # -- what asyncio and the product ask of a loop ----------------------------------------------

    def time(self) -> float:
        return self.schedule.now / S

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self.alive

    def is_closed(self) -> bool:
        return not self.alive

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.schedule.soon(self.run, *_in_context(callback, args, context))

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        return self.schedule.after(
            round(delay * S), self.run, *_in_context(callback, args, context)
        )

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        return self.schedule.at(round(when * S), self.run, *_in_context(callback, args, context))

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.alive:
            raise AssertionError(f"nobody caught: {context}")

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        self._readers[fd] = callback
        if fd in self._rung:
            self._wake(fd)

    def remove_reader(self, fd: Any) -> bool:
        return self._readers.pop(fd, None) is not None

    def ring(self, fd: int) -> None:
        """A doorbell: its reader is called once, a moment later, however often it rings."""
        if fd not in self._rung:
            self._rung.add(fd)
            self._wake(fd)

    def _wake(self, fd: int) -> None:
        self.schedule.after(self.schedule.between(1, 300 * US), self.run, self._answer, fd)

    def _answer(self, fd: int) -> None:
        reader = self._readers.get(fd)
        if reader is not None and fd in self._rung:
            self._rung.discard(fd)
            reader()


class Killed(BaseException):
    """The process ends at this instruction."""


def _in_context(
    callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
) -> tuple[Any, ...]:
    return (callback, *args) if context is None else (context.run, callback, *args)


class VirtualTime:
    """The `time` module as the product sees it in a simulation. The wall clock may jump."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.jump_ns = 0

    def time_ns(self) -> int:
        return EPOCH_NS + self._schedule.now + self.jump_ns

    def monotonic_ns(self) -> int:
        return S + self._schedule.now

    def time(self) -> float:
        return self.time_ns() / S

    def monotonic(self) -> float:
        return self.monotonic_ns() / S

    perf_counter = monotonic


@contextmanager
def virtual_time(schedule: Schedule) -> Iterator[VirtualTime]:
    """Every module of the product that asks for time or chance gets those of the schedule."""
    clock = VirtualTime(schedule)
    changed: list[tuple[dict[str, Any], str, object]] = []
    for name, module in list(sys.modules.items()):
        if name.startswith("hivewire."):
            names = vars(module)
            for real, virtual in ((time, clock), (random, schedule.rng)):
                if names.get(real.__name__) is real:
                    changed.append((names, real.__name__, real))
                    names[real.__name__] = virtual
    try:
        yield clock
    finally:
        for names, name, real in changed:
            names[name] = real
