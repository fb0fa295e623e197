"""What has happened, told to the application: in order in each lane, several lanes at a time.

A lane is a conversation, or a user. Its next notice waits for the one before; lanes take turns. The
queue is bounded: what does not fit is dropped, counted and logged, and nothing else waits for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from hivewire.hooks.runner import Outcome, Runner

Notice = tuple[str, "Callable[[], Coroutine[Any, Any, None]]"]
"""The name of a hook, and what makes the call of it."""


class Feed:
    """A queue of notices for each lane. Loop thread only.

    Args:
        runner: Makes the calls.
        bound: Notices that may wait, all lanes together.
        workers: Calls under way at once.
        dropped: Told the hook's name when a notice found no room, and what the notice was about.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        bound: int,
        workers: int,
        dropped: Callable[[str, Sequence[object]], None],
    ) -> None:
        self._runner = runner
        self._bound = bound
        self._workers = workers
        self._dropped = dropped
        self._lanes: dict[str, deque[Notice]] = {}
        """Notices that wait, by lane. A lane is here as long as one of it waits or is told."""
        self._ready: deque[str] = deque()
        """Lanes whose next notice may be told."""
        self._running = 0
        self.waiting = 0
        """Notices that wait, all lanes together."""

    @property
    def is_idle(self) -> bool:
        """Whether everything has been told."""
        return not self._lanes

    def put(self, lane: str, notices: Sequence[Notice]) -> None:
        """Tell these, one after the other, after all that was put into this lane before."""
        room = self._bound - self.waiting
        for name, call in notices[max(room, 0) :]:
            self._dropped(name, _about(call))
        taken = notices[: max(room, 0)]
        if not taken:
            return
        self.waiting += len(taken)
        queue = self._lanes.get(lane)
        if queue is None:
            self._lanes[lane] = deque(taken)
            self._ready.append(lane)
            self._start()
        else:
            queue.extend(taken)

    def hold(self) -> None:
        """Begin no more calls; what is put waits."""
        self._workers = 0

    def rest(self) -> list[tuple[str, Notice]]:
        """What waits, each with its lane, in the order of each lane."""
        return [(lane, notice) for lane, queue in self._lanes.items() for notice in queue]

    def _start(self) -> None:
        """Call as many hooks as there are workers."""
        while self._ready and self._running < self._workers:
            lane = self._ready.popleft()
            name, call = self._lanes[lane].popleft()
            self.waiting -= 1
            self._running += 1
            settled = self._goes_on(lane)
            self._runner.start(name, call(), settled, ended=self._ended, about=_about(call))

    def _goes_on(self, lane: str) -> Callable[[Outcome], None]:
        def settled(_: Outcome) -> None:
            if self._lanes[lane]:
                self._ready.append(lane)
            else:
                del self._lanes[lane]
            self._start()

        return settled

    def _ended(self) -> None:
        """A worker is free: a call that was given up keeps its own until its task has ended."""
        self._running -= 1
        self._start()


def _about(call: Callable[[], Coroutine[Any, Any, None]]) -> Sequence[object]:
    """What a hook will be given, for the log."""
    return getattr(call, "arguments", ())
