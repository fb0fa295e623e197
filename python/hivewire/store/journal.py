"""Group commit: the one way to change durable state, and the order that keeps the promise.

`Journal._commit` is that order: write, sync, release. While one group is between write and
release, the next one fills; there is no timer and no fixed delay. What a released group has to
tell goes out when the next one is on its way to the disk: the disk does not wait for sockets.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from hivewire import chaos

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from hivewire.store import Batch, Put, Store

Payload = TypeVar("Payload")

GROUP_ENTRIES = 200
"""Entries in one group. The write holds the interpreter lock for about 5 µs an entry; more would
let the sockets wait for longer than a millisecond, and gains nothing."""
WAITING_ENTRIES = 10_000
"""Entries that may wait for their commit, all groups together, where no setting says otherwise."""


class Group(Generic[Payload]):
    """Entries that become durable together, and what is owed to the world once they are."""

    __slots__ = ("batch", "count", "payload", "put")

    def __init__(self, batch: Batch, payload: Payload) -> None:
        self.batch = batch
        self.put: Put = batch.put
        """Adds a row. Whoever adds an entry's rows also adds 1 to `count`."""
        self.count = 0
        """Entries in it."""
        self.payload = payload
        """The owner's: what to release, in order."""


class Commit(NamedTuple):
    """What one commit did and how long it took, in seconds."""

    entries: int
    puts: int
    write_seconds: float
    sync_seconds: float


class Committer(Protocol):
    """Where syncs happen while the loop goes on."""

    def submit(self, job: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Run `job` elsewhere, then `done` on the loop with what it raised or None."""
        ...

    def close(self) -> None:
        """Finish what was submitted and stop."""
        ...


class Journal(Generic[Payload]):
    """Collects entries into groups and commits them one after the other. Loop thread only.

    Args:
        store: Where the rows go.
        committer: Runs the syncs.
        release: Called on the loop with each durable group, in order: from here on answers and
            deliveries may go out, and caches move to what is durable. The next group is not even
            written yet, so what an answer shows is read here.
        show: Called with it once more when the next group is on its way: what can wait so long
            goes out here.
        fatal: Called once when a write or a sync failed. From then on nothing is released; the
            process must end and a new one read the disk.
        payload: Makes the payload of a new group.
        bound: Entries that may wait for their commit, all groups together; beyond it `is_full`.
        observe: Called on the loop with the figures of each commit.
    """

    def __init__(
        self,
        store: Store,
        committer: Committer,
        *,
        release: Callable[[Group[Payload]], None],
        show: Callable[[Group[Payload]], None] | None = None,
        fatal: Callable[[BaseException], None],
        payload: Callable[[], Payload],
        bound: int = WAITING_ENTRIES,
        observe: Callable[[Commit], None] | None = None,
    ) -> None:
        self._store = store
        self._committer = committer
        self._release = release
        self._show = show
        self._fatal = fatal
        self._payload = payload
        self._bound = bound
        self._observe = observe
        self._sealed: deque[Group[Payload]] = deque()
        self._sealed_entries = 0
        self._committing: Group[Payload] | None = None
        self._steps: Generator[Callable[[], None], None, Group[Payload]] | None = None
        self.dead = False
        self.commits = 0
        self.entries = 0
        self.puts = 0
        self.write_seconds = 0.0
        self.sync_seconds = 0.0
        self.open: Group[Payload] = Group(store.batch(), payload())

    def commit(self) -> None:
        """Commit what waits, unless a commit is under way: then that one goes on with it."""
        if self._steps is None and not self.dead:
            self._begin()

    def rotate_if_full(self) -> Group[Payload]:
        """The group to add the next entry to; a full one is set aside to be committed."""
        if self.open.count >= GROUP_ENTRIES:
            self._seal()
        return self.open

    def barrier(self) -> Group[Payload] | None:
        """The newest group that may have been seen and is not durable; None if all is durable.

        An answer that shows what it has read belongs behind it.
        """
        if self.open.count:
            return self.open
        return self._sealed[-1] if self._sealed else self._committing

    @property
    def waiting(self) -> int:
        """Entries whose commit has not begun."""
        return self._sealed_entries + self.open.count

    @property
    def is_full(self) -> bool:
        """Whether so much waits that further changes must be refused."""
        return self.dead or self._sealed_entries + self.open.count >= self._bound

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way to the disk."""
        return self._steps is None and not self.open.count and not self._sealed

    def close(self) -> None:
        """Let a commit under way finish its sync, and stop. Nothing is released any more."""
        self.dead = True
        self._committer.close()

    def _commit(self, group: Group[Payload]) -> Generator[Callable[[], None], None, Group[Payload]]:
        """Write, sync, release. This order is what `sent` means: leave it as it is.

        What is yielded runs in the committer's thread, and this goes on when it has returned.
        After `write` other reads can see the rows, but a power cut would still take them.
        """
        _reach("before-write")
        puts = len(group.batch)
        begun = time.perf_counter()
        self._store.write(group.batch)
        written = time.perf_counter()
        _reach("before-sync")
        yield self._store.sync
        synced = time.perf_counter()
        _reach("after-sync")
        self._count(Commit(group.count, puts, written - begun, synced - written))
        self._committing = None
        _reach("before-answer")
        self._release(group)
        return group

    def _begin(self) -> None:
        """Start the next commit, if something waits for one."""
        if not self._sealed:
            if not self.open.count:
                return
            self._seal()
        group = self._sealed.popleft()
        self._sealed_entries -= group.count
        self._committing = group
        self._steps = self._commit(group)
        self._advance(None)

    def _advance(self, error: BaseException | None) -> None:
        """Take the commit under way to its next step, and its end to the next commit."""
        if self.dead or self._steps is None:
            return
        try:
            if error is not None:
                self._steps.throw(error)
            self._committer.submit(next(self._steps), self._advance)
        except StopIteration as end:
            self._steps = None
            self._begin()
            self._tell(end.value)
        except BaseException as failure:  # noqa: BLE001 - whatever it was, the promise is off
            self._die(failure)

    def _tell(self, group: Group[Payload]) -> None:
        if self.dead or self._show is None:
            return
        try:
            self._show(group)
            self.commit()
        except BaseException as failure:  # noqa: BLE001 - the world would know nothing of it
            self._die(failure)

    def _die(self, error: BaseException) -> None:
        self.dead = True
        self._fatal(error)

    def _seal(self) -> None:
        """Set the open group aside to be committed and open another."""
        self._sealed.append(self.open)
        self._sealed_entries += self.open.count
        self.open = Group(self._store.batch(), self._payload())

    def _count(self, done: Commit) -> None:
        self.commits += 1
        self.entries += done.entries
        self.puts += done.puts
        self.write_seconds += done.write_seconds
        self.sync_seconds += done.sync_seconds
        if self._observe is not None:
            self._observe(done)


class ThreadCommitter:
    """One thread that syncs, so that the loop does not wait for the disk.

    Args:
        call_soon: The loop's `call_soon_threadsafe`.
    """

    def __init__(self, call_soon: Callable[..., object]) -> None:
        self._call_soon = call_soon
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Run `job` in the thread, then `done` on the loop."""
        self._jobs.put((job, done))

    def close(self) -> None:
        """Finish what was submitted and join the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            job, done = work
            outcome: BaseException | None = None
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - it is raised again on the loop
                outcome = error
            self._call_soon(done, outcome)


_Job = tuple["Callable[[], None]", "Callable[[BaseException | None], None]"]


class ManualCommitter:
    """Syncs when told to, for tests and simulation that decide what happens in between."""

    def __init__(self) -> None:
        self._jobs: deque[_Job] = deque()

    def submit(self, job: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Keep it for `step`."""
        self._jobs.append((job, done))

    def step(self) -> bool:
        """Do one submitted sync and what follows on the loop; False if there was none."""
        if not self._jobs:
            return False
        job, done = self._jobs.popleft()
        outcome: BaseException | None = None
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - it is raised again in `done`
            outcome = error
        done(outcome)
        return True

    def close(self) -> None:
        """Drop what was not stepped."""
        self._jobs.clear()


def _reach(point: str) -> None:
    if chaos.reach is not None:
        chaos.reach(point)
