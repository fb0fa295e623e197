"""The loop's lag, and the wait for the interpreter."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

from hivewire.gateway import interpreter_wait
from hivewire.metrics import SECONDS, WAITS, Histogram
from hivewire.probes import InterpreterWait, LoopLag


def test_a_blocked_loop_shows_as_lag() -> None:
    loop = asyncio.new_event_loop()
    histogram = Histogram(SECONDS)
    lag = LoopLag(histogram, loop)
    lag.start()
    lag._due = time.perf_counter() - 0.3
    lag._tick()
    lag.stop()
    loop.close()
    assert histogram.count == 1
    assert histogram.sum >= 0.3


def test_it_counts_until_it_is_stopped() -> None:
    enough = threading.Event()
    waits = iter([1_000, 2_000_000, 3_000])

    def wait(ms: int) -> int:
        assert ms == InterpreterWait.INTERVAL_MS
        found = next(waits)
        if found == 3_000:
            enough.set()
            probe.stop()
        return found

    histogram = Histogram(WAITS)
    probe = InterpreterWait(histogram, wait)
    probe.start()
    assert enough.wait(30)
    probe.join()
    assert histogram.count == 3
    assert histogram.sum == pytest.approx(0.002_004)


def test_one_that_was_never_started_ends_too() -> None:
    InterpreterWait(Histogram(WAITS), interpreter_wait).join()


def test_a_thread_that_keeps_the_interpreter_is_seen_by_the_engine() -> None:
    """A busy thread gives it up every 50 ms only; the probe sleeps for 1 ms."""
    before, done = sys.getswitchinterval(), threading.Event()

    def busy() -> None:
        while not done.is_set():
            pass

    keeper = threading.Thread(target=busy)
    sys.setswitchinterval(0.05)
    try:
        keeper.start()
        held = max(interpreter_wait(1) for _ in range(3))
    finally:
        done.set()
        keeper.join()
        sys.setswitchinterval(before)
    assert held > 10_000_000
    begun = time.monotonic_ns()
    assert interpreter_wait(20) < time.monotonic_ns() - begun - 15_000_000
