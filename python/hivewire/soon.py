"""When things are done that need not be done at once.

`Soon` does something once in a while, however often it is asked for; `InTurn` does long work piece
by piece, with everything else in between.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Soon:
    """Runs `work` a fixed time after the first call since it last ran.

    Args:
        loop: Where it runs.
        delay_ms: How long to gather.
        work: What to do.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, delay_ms: int, work: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._delay = delay_ms / 1000
        self._work = work
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Ask for it."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._delay, self._run)

    def cancel(self) -> None:
        """Not any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        self._work()


class InTurn:
    """Runs pieces of long works one after the other, each in an iteration of the loop of its own.

    Args:
        call_soon: The loop's.
        run: Calls what it is given, now or when that may run.
    """

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        run: Callable[[Callable[[], None]], None],
    ) -> None:
        self._call_soon = call_soon
        self._run = run
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether no piece waits."""
        return not self._waiting

    def __call__(self, work: Callable[[], None]) -> None:
        """Run a piece after those that wait."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            self._call_soon(self._next)

    def _next(self) -> None:
        self._run(self._piece)

    def _piece(self) -> None:
        """The first stays in the queue until it has run, so that the next is not begun."""
        self._waiting[0]()
        self._waiting.popleft()
        if self._waiting:
            self._call_soon(self._next)
