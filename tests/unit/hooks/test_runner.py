"""Calls of hooks: settled once, in time, whatever they do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from hivewire.hooks.runner import FAILED, FULL, LATE, Outcome, Runner, rejection
from hivewire.hooks.values import Refuse
from hivewire.metrics import Metrics
from tests.unit.client.virtual import run

if TYPE_CHECKING:
    import pytest


class Bench:
    """A runner in virtual time, and how its calls were settled."""

    def __init__(self, *, timeout_ms: int = 1_000, bound: int = 2) -> None:
        self.loop = asyncio.get_running_loop()
        self.metrics = Metrics()
        self.runner = Runner(self.loop, self.metrics, timeout_ms=timeout_ms, bound=bound)
        self.settled: list[tuple[float, Outcome]] = []
        self.ended = 0

    def start(self, work, timeout_ms: int | None = None) -> None:
        self.runner.start("on_send", work, self._settle, timeout_ms, ended=self._end)

    def _settle(self, outcome: Outcome) -> None:
        self.settled.append((self.loop.time(), outcome))

    def _end(self) -> None:
        self.ended += 1


async def give(value: object, after: float = 0.0) -> object:
    await asyncio.sleep(after)
    return value


async def fail(error: Exception) -> None:
    raise error


async def never(seconds: float) -> None:
    """A hook that does not let itself be cancelled."""
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


def test_what_a_hook_returns_is_its_outcome() -> None:
    async def story() -> None:
        bench = Bench()
        bench.start(give(7))
        assert not bench.runner.is_idle
        await asyncio.sleep(0.1)
        assert bench.settled == [(0.0, Outcome(7, None))]
        assert bench.runner.is_idle
        assert bench.metrics.hooks == {("on_send", "ok"): 1}

    run(story())


def test_a_refusal_is_told_in_the_words_of_the_hook() -> None:
    async def story() -> None:
        bench = Bench()
        bench.start(fail(Refuse("no", code="rate_limited", field="text", retryable=True)))
        await asyncio.sleep(0.1)
        ((_, outcome),) = bench.settled
        assert outcome.refused
        assert outcome.rejection is not None
        said = outcome.rejection
        assert (said.code, said.message, said.field) == ("rate_limited", "no", "text")
        assert said.retryable
        assert said.retry_after_ms
        assert bench.metrics.hooks == {("on_send", "refused"): 1}

    run(story())


def test_I9_whatever_a_refusal_holds_can_be_told() -> None:
    odd = Refuse(404, field="\ud800", retryable=1)  # type: ignore[arg-type]
    told = rejection(odd)
    assert (told.message, told.field, told.retryable) == ("404", "?", True)
    assert len(rejection(Refuse("x" * 100_000)).message) == 1_000


def test_a_failure_is_contained_and_logged_with_its_traceback() -> None:
    async def story() -> None:
        bench = Bench()
        error = ValueError("a bug")
        with structlog.testing.capture_logs() as logs:
            bench.start(fail(error))
            await asyncio.sleep(0.1)
        assert bench.settled == [(0.0, Outcome(None, FAILED))]
        assert [(entry["hook"], entry["exc_info"]) for entry in logs] == [("on_send", error)]

    run(story())


def test_who_fails_all_the_time_is_cut_short_in_the_log() -> None:
    async def story() -> None:
        bench = Bench(bound=100)
        with structlog.testing.capture_logs() as logs:
            for _ in range(5):
                bench.start(fail(ValueError("a bug")))
            await asyncio.sleep(2)
            bench.start(fail(ValueError("a bug")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert [entry["not_logged"] for entry in logs] == [0, 4]
        assert bench.metrics.hooks == {("on_send", "failed"): 6}

    run(story())


def test_who_takes_too_long_is_given_up_and_cancelled() -> None:
    async def story() -> None:
        bench = Bench(timeout_ms=500)
        bench.start(give(7, after=60))
        await asyncio.sleep(10)
        assert bench.settled == [(0.5, Outcome(None, LATE))]
        assert LATE.retryable
        assert (bench.ended, bench.runner.under_way) == (1, 0)
        assert bench.metrics.hooks == {("on_send", "timeout"): 1}

    run(story())


def test_a_call_may_have_a_deadline_of_its_own() -> None:
    async def story() -> None:
        bench = Bench(timeout_ms=500)
        bench.start(give(7, after=60), 100)
        await asyncio.sleep(10)
        assert bench.settled == [(0.1, Outcome(None, LATE))]

    run(story())


def test_I8_who_cannot_be_cancelled_is_settled_in_time_and_holds_its_place_till_the_end() -> None:
    async def story() -> None:
        bench = Bench(timeout_ms=500, bound=1)
        bench.start(never(30))
        await asyncio.sleep(10)
        assert bench.settled == [(0.5, Outcome(None, LATE))]
        assert bench.runner.is_full
        assert bench.runner.is_idle, "nobody waits for it"
        assert bench.ended == 0
        await asyncio.sleep(30)
        assert not bench.runner.is_full
        assert (len(bench.settled), bench.ended) == (1, 1)

    run(story())


def test_I8_a_call_for_which_there_is_no_room_is_refused_and_leaves_nothing() -> None:
    async def story() -> None:
        bench = Bench(bound=1)
        bench.start(give(1, after=0.1))
        assert bench.runner.is_full
        assert bench.runner.refuse("on_send", give(2)) == Outcome(None, FULL)
        await asyncio.sleep(1)
        assert len(bench.settled) == 1
        assert bench.metrics.hooks["on_send", "full"] == 1

    run(story())


def test_an_exception_that_comes_too_late_makes_no_noise(
    recwarn: pytest.WarningsRecorder,
) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        noise: list[object] = []
        loop.set_exception_handler(lambda _, context: noise.append(context))
        bench = Bench(timeout_ms=100)

        async def stubborn() -> None:
            await never(1)
            raise ValueError("too late")

        bench.start(stubborn())
        await asyncio.sleep(5)
        assert len(bench.settled) == 1
        assert noise == []

    run(story())
    assert not list(recwarn)


def test_a_call_can_be_waited_for() -> None:
    async def story() -> None:
        assert await Bench().runner.call("on_stop", give(3)) == Outcome(3, None)

    run(story())


def test_after_stop_nothing_is_settled() -> None:
    async def story() -> None:
        bench = Bench()
        bench.start(give(1, after=0.5))
        await asyncio.sleep(0.1)
        await bench.runner.stop()
        await asyncio.sleep(1)
        assert bench.settled == []
        assert bench.runner.under_way == 0

    run(story())


def test_what_cannot_be_used_counts_as_a_failure() -> None:
    async def story() -> None:
        bench = Bench()
        with structlog.testing.capture_logs() as logs:
            assert bench.runner.fail("on_send", "it is empty") == Outcome(None, FAILED)
        assert [entry["event"] for entry in logs] == ["a hook failed: it is empty"]
        assert bench.metrics.hooks == {("on_send", "failed"): 1}

    run(story())
