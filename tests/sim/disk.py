"""The disk of a machine, and the thread of a process that writes to it.

The thread is simulated where it matters: its syncs take their time, the loop hears of them a moment
later, and it writes the next group between any two lines of the loop's that read the store, as the
interpreter lets another thread run there.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from unittest import mock

from hivewire.store.memory import Memory
from tests.sim.loop import MS, US, Handle, Killed, NodeLoop, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hivewire.store import Column
    from hivewire.store.journal import Done, Next, UnderWay

SYNC_TIMES = ((0.9, 50 * US, 2 * MS), (0.98, 2 * MS, 20 * MS), (1.0, 20 * MS, 150 * MS))
"""How long a sync takes: with which probability (cumulative), from, to."""
COMES_BETWEEN = 0.3
"""How probably the thread takes its turn at a read of the loop's, if it has something to do."""


class Disk(Memory):
    """What outlives the process. Reads give another thread its chance."""

    def __init__(self) -> None:
        super().__init__()
        self.syncs = True
        """Whether a sync that the product asks for takes place; else it only seems so."""
        self.between: Callable[[], None] = _nothing
        """Called before each read."""

    def get(self, column: Column, key: bytes) -> bytes | None:
        self.between()
        return super().get(column, key)

    def multi_get(self, column: Column, keys: Sequence[bytes]) -> list[bytes | None]:
        self.between()
        return super().multi_get(column, keys)

    def last(self, column: Column, prefix: bytes) -> tuple[bytes, bytes] | None:
        self.between()
        return super().last(column, prefix)

    def scan(
        self, column: Column, start: bytes, end: bytes | None, limit: int
    ) -> list[tuple[bytes, bytes]]:
        self.between()
        return super().scan(column, start, end, limit)


class Thread:
    """The committer of a process.

    Args:
        disk: Where it writes; it comes between the reads from there.
        schedule: What else happens, and when.
        loop: Of the process: with it, this ends.
    """

    def __init__(self, disk: Disk, schedule: Schedule, loop: NodeLoop) -> None:
        self._disk = disk
        self._schedule = schedule
        self._loop = loop
        self._jobs: deque[tuple[Next, Done]] = deque()
        self._looking: Handle | None = None
        """When it looks for something to write, if it is going to."""
        self._syncing = False
        disk.between = self._come_between

    def submit(self, following: Next, done: Done) -> None:
        self._jobs.append((following, done))
        if self._looking is None and not self._syncing:
            self._looking = self._soon(self._look)

    def close(self) -> None:
        """Nothing to join: the loop is gone, and with it what was scheduled."""

    def _come_between(self) -> None:
        looking = self._looking
        if looking is None or not self._loop.alive or not self._schedule.chance(COMES_BETWEEN):
            return
        looking.cancel()
        self._look()

    def _look(self) -> None:
        self._looking = None
        while self._jobs:
            following, done = self._jobs[0]
            under_way = following()
            if under_way is None:
                self._jobs.popleft()
                continue
            self._die_if_killed(under_way)
            self._syncing = True
            chance = self._schedule.rng.random()
            _, low, high = next(kind for kind in SYNC_TIMES if chance < kind[0])
            took = self._schedule.between(low, high)
            self._schedule.after(took, self._loop.run, self._sync, under_way, done)
            return

    def _sync(self, under_way: UnderWay[Any], done: Done) -> None:
        self._syncing = False
        if self._disk.syncs:
            under_way.step()
        else:
            with mock.patch.object(self._disk, "sync", _nothing):
                under_way.step()
        self._die_if_killed(under_way)
        # The next one may be written before the loop's thread hears of this one, or after.
        self._soon(done, under_way)
        self._looking = self._soon(self._look)

    def _die_if_killed(self, under_way: UnderWay[Any]) -> None:
        if isinstance(under_way.error, Killed):
            raise under_way.error

    def _soon(self, what: Callable[..., None], *arguments: object) -> Handle:
        """One of the two threads comes to it a moment later."""
        after = self._schedule.between(1, 50 * US)
        return self._schedule.after(after, self._loop.run, what, *arguments)


def _nothing() -> None: ...
