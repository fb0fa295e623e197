"""What is measured all the time: how late the loop runs, how long the interpreter is held."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hivewire.metrics import Histogram, Metrics


class Probes:
    """All of them, for one node.

    Args:
        metrics: Where to count.
        loop: The node's.
        wait: See `InterpreterWait`.
    """

    def __init__(
        self, metrics: Metrics, loop: asyncio.AbstractEventLoop, wait: Callable[[int], int]
    ) -> None:
        self._lag = LoopLag(metrics.loop_lag_seconds, loop)
        self._wait = InterpreterWait(metrics.interpreter_wait_seconds, wait)

    def start(self) -> None:
        """Measure from now on."""
        self._lag.start()
        self._wait.start()

    def stop(self) -> None:
        """Measure no more."""
        self._lag.stop()
        self._wait.stop()

    def join(self) -> None:
        """Stop, and wait for the thread: none may want the interpreter when that ends."""
        self.stop()
        self._wait.join()


class LoopLag:
    """Measures how late the event loop calls back: long batches and blocking calls show here."""

    INTERVAL: Final = 0.5

    def __init__(self, histogram: Histogram, loop: asyncio.AbstractEventLoop) -> None:
        self._histogram = histogram
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Measure from now on, twice a second."""
        self._due = perf_counter() + self.INTERVAL
        self._handle = self._loop.call_later(self.INTERVAL, self._tick)

    def stop(self) -> None:
        """Measure no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _tick(self) -> None:
        self._histogram.observe(max(0.0, perf_counter() - self._due))
        self.start()


class InterpreterWait:
    """A thread that takes the interpreter lock now and then, as the committer's thread must.

    Each look may cost the loop one change of threads, so there are ten in a second.

    Args:
        histogram: Where to count; by no other thread.
        wait: Sleeps for so many milliseconds without the lock, and gives the nanoseconds that it
            then waited for it. The engine's: Python cannot look at a clock without the lock.
    """

    INTERVAL_MS: Final = 100

    def __init__(self, histogram: Histogram, wait: Callable[[int], int]) -> None:
        self._histogram = histogram
        self._wait = wait
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="interpreter-wait", daemon=True)

    def start(self) -> None:
        """Measure from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Measure no more; the thread ends by itself."""
        self._stopped.set()

    def join(self) -> None:
        """Stop, and wait for the thread's end."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._histogram.observe(self._wait(self.INTERVAL_MS) / 1e9)
