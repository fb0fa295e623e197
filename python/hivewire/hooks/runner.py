"""Calls of hooks: each a task with a deadline, its failure contained, all of them counted.

Nothing that a hook does reaches the node's turns: it ends in an `Outcome`, in time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from hivewire.core.entries import Rejection
from hivewire.hooks.concerning import concerning
from hivewire.hooks.values import Refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from hivewire.metrics import Metrics

log = structlog.get_logger(__name__)

RETRY_AFTER_MS: Final = 1_000
REASON_CHARACTERS: Final = 1_000
"""Of a refusal's reason, so many are told."""
FULL: Final = Rejection(
    "unavailable",
    "the application is busy",
    retryable=True,
    retry_after_ms=RETRY_AFTER_MS,
)
LATE: Final = Rejection(
    "unavailable",
    "the application did not answer in time",
    retryable=True,
    retry_after_ms=RETRY_AFTER_MS,
)
FAILED: Final = Rejection("internal", "the application failed")
QUIET_SECONDS: Final = 1.0
"""A hook that fails with every message writes one traceback in this time, and how many it kept."""


class Outcome(NamedTuple):
    """How a call ended."""

    value: Any
    """What the hook returned; None if it did not."""
    rejection: Rejection | None
    """What its client is told instead."""
    refused: bool = False
    """Whether the hook itself said no, by `Refuse`."""


class Runner:
    """Starts calls and sees to it that each is settled once. Loop thread only.

    Args:
        loop: Runs the tasks.
        metrics: Where to count.
        timeout_ms: How long a call may take where its caller says nothing else.
        bound: Calls under way at once; a call that was given up counts until its task has ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        metrics: Metrics,
        *,
        timeout_ms: int,
        bound: int,
    ) -> None:
        self._loop = loop
        self._metrics = metrics
        self._timeout_ms = timeout_ms
        self._bound = bound
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiting = 0
        self._told_at: dict[str, float] = {}
        self._kept: dict[str, int] = {}
        self.stopped = False

    @property
    def is_full(self) -> bool:
        """Whether no call can start now."""
        return len(self._tasks) >= self._bound

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for a call."""
        return not self._waiting

    @property
    def under_way(self) -> int:
        """Tasks that have not ended."""
        return len(self._tasks)

    def start(
        self,
        name: str,
        work: Coroutine[Any, Any, Any],
        settled: Callable[[Outcome], None],
        timeout_ms: int | None = None,
        *,
        ended: Callable[[], None] | None = None,
        about: Sequence[object] = (),
    ) -> None:
        """Run `work`; whatever becomes of it, `settled` is called once, in time, on the loop.

        Past the deadline the task is cancelled and not waited for. Nothing is settled any more
        after `stop`.

        Args:
            name: The hook, for logs and figures.
            work: What to run.
            settled: Told the outcome.
            timeout_ms: How long it may take; None: as long as any.
            ended: Called when the task has ended too, after `settled`.
            about: What the hook is given, for the log.
        """
        call = _Call(self, name, settled, ended, about)
        begun = self._loop.time()
        task = self._loop.create_task(work, name=f"hook {name}")
        self._tasks.add(task)
        self._waiting += 1
        wait = self._timeout_ms if timeout_ms is None else timeout_ms
        call.deadline = self._loop.call_at(begun + wait / 1000, call.give_up, task)
        task.add_done_callback(call.finish)

    async def call(self, name: str, work: Coroutine[Any, Any, Any]) -> Outcome:
        """Run `work` and wait until it is settled."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self.start(name, work, future.set_result)
        return await future

    def refuse(self, name: str, work: Coroutine[Any, Any, Any]) -> Outcome:
        """The outcome of a call for which there is no room."""
        work.close()
        return self.count(name, "full", Outcome(None, FULL))

    def count(self, name: str, result: str, outcome: Outcome) -> Outcome:
        """Note how a call ended."""
        self._metrics.hooks[name, result] += 1
        return outcome

    def judge(self, name: str, task: asyncio.Task[Any], about: Sequence[object] = ()) -> Outcome:
        """What a task that has ended has come to."""
        if task.cancelled():
            return self.count(name, "failed", Outcome(None, FAILED))
        error = task.exception()
        if error is None:
            return self.count(name, "ok", Outcome(task.result(), None))
        if isinstance(error, Refuse):
            return self.count(name, "refused", Outcome(None, rejection(error), refused=True))
        self.tell(name, "a hook failed", error, about)
        return self.count(name, "failed", Outcome(None, FAILED))

    def fail(self, name: str, why: str, about: Sequence[object] = ()) -> Outcome:
        """The outcome of a hook that came back with what cannot be used."""
        self.tell(name, f"a hook failed: {why}", about=about)
        return self.count(name, "failed", Outcome(None, FAILED))

    def tell(
        self,
        name: str,
        what: str,
        error: BaseException | None = None,
        about: Sequence[object] = (),
    ) -> None:
        """Log it with its traceback; a hook that says so all the time is cut short."""
        now = self._loop.time()
        if now - self._told_at.get(name, -QUIET_SECONDS) < QUIET_SECONDS:
            self._kept[name] = self._kept.get(name, 0) + 1
            return
        self._told_at[name] = now
        kept = self._kept.pop(name, 0)
        log.error(what, hook=name, **concerning(about), not_logged=kept, exc_info=error)

    def leave(self, task: asyncio.Task[Any]) -> None:
        """A task has ended."""
        self._tasks.discard(task)

    def settle(self) -> None:
        """Nobody waits for this call any more."""
        self._waiting -= 1

    def give_up(self) -> None:
        """Cancel what runs without waiting for it, and settle nothing any more."""
        self.stopped = True
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Cancel what runs, and settle nothing any more."""
        self.stopped = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._timeout_ms / 1000)


def rejection(refusal: Refuse) -> Rejection:
    """What a client is told of a refusal, whatever the application put into it."""
    reason, field = sendable(refusal.reason), refusal.field
    field = None if field is None else sendable(field)
    retryable = bool(refusal.retryable)
    wait = RETRY_AFTER_MS if retryable else None
    return Rejection(refusal.code, reason, field, retryable, wait)


def sendable(text: object) -> str:
    """Text that has UTF-8 and is not endless."""
    return str(text)[:REASON_CHARACTERS].encode(errors="replace").decode()


class _Call:
    """One call on its way to being settled."""

    __slots__ = ("_about", "_ended", "_name", "_runner", "_settled", "deadline")

    def __init__(
        self,
        runner: Runner,
        name: str,
        settled: Callable[[Outcome], None],
        ended: Callable[[], None] | None,
        about: Sequence[object],
    ) -> None:
        self._about = about
        self._runner = runner
        self._name = name
        self._settled: Callable[[Outcome], None] | None = settled
        self._ended = ended
        self.deadline: asyncio.TimerHandle | None = None

    def give_up(self, task: asyncio.Task[Any]) -> None:
        """The time is over: settle it, whatever the task does about being cancelled."""
        runner, name = self._runner, self._name
        task.cancel(f"{name} took too long")
        runner.tell(name, "a hook took too long", about=self._about)
        self._settle(runner.count(name, "timeout", Outcome(None, LATE)))

    def finish(self, task: asyncio.Task[Any]) -> None:
        """The task has ended, in time or not."""
        if self.deadline is not None:
            self.deadline.cancel()
        self._runner.leave(task)
        if self._settled is not None and not self._runner.stopped:
            self._settle(self._runner.judge(self._name, task, self._about))
        elif not task.cancelled():
            # Read, so that an exception which comes too late makes no noise of its own.
            task.exception()
        if self._ended is not None:
            self._ended()

    def _settle(self, outcome: Outcome) -> None:
        settled, self._settled = self._settled, None
        self._runner.settle()
        if settled is not None and not self._runner.stopped:
            settled(outcome)
