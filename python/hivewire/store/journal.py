"""Group commit: the one way to change durable state, and the order that keeps the promise.

`Journal._commit` is that order: write and sync in the committer's thread, release on the loop.
While one group is being synced the next one fills, and the committer goes on with it by itself: the
disk does not wait for the loop. There is no timer and no fixed delay.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from hivewire import chaos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hivewire.store import Batch, Put, Store

Payload = TypeVar("Payload")

GROUP_ENTRIES = 200
"""Entries in one group. The write holds the interpreter lock for about 5 µs an entry; more would
let the sockets wait for longer than a millisecond, and gains nothing."""
WAITING_ENTRIES = 10_000
"""Entries that may wait for their commit, all groups together, where no setting says otherwise."""


class Group(Generic[Payload]):
    """Entries that become durable together, and what is owed to the world once they are."""

    __slots__ = ("batch", "count", "payload", "put", "reads")

    def __init__(self, batch: Batch, payload: Payload) -> None:
        self.batch = batch
        self.put: Put = batch.put
        """Adds a row. Whoever adds an entry's rows also adds 1 to `count`."""
        self.count = 0
        """Entries in it."""
        self.payload = payload
        """The owner's: what to release, in order."""
        self.reads = False
        """Whether its release reads what it shows: nothing after it is written before that. Only
        who got it of `barrier` may say so."""


class Commit(NamedTuple):
    """What one commit did and how long it took, in seconds."""

    entries: int
    puts: int
    write_seconds: float
    sync_seconds: float
    synced_ns: int
    """When it was durable (monotonic ns)."""


class UnderWay(Generic[Payload]):
    """A commit from its first step on: write, sync, release.

    Args:
        group: What is committed.
        steps: Does one of the three each time it is advanced.
    """

    def __init__(self, group: Group[Payload], steps: Iterator[None]) -> None:
        self.group = group
        self.error: BaseException | None = None
        """Why it failed."""
        self._steps = steps

    def step(self) -> None:
        """Do the next step, unless one has failed. Never raises."""
        if self.error is None:
            try:
                next(self._steps, None)
            except BaseException as error:  # noqa: BLE001 - whatever it was, the promise is off
                self.error = error


Next = Callable[[], UnderWay[Any] | None]
"""Takes the next group that is to be committed and does the first step; None if there is none."""
Done = Callable[[UnderWay[Any]], None]
"""Does the last step."""


class Committer(Protocol):
    """Where groups are written and synced while the loop goes on."""

    def submit(self, following: Next, done: Done) -> None:
        """Do the first two steps of one commit after the other elsewhere, until there is none.

        `done` is called on the loop with each, in their order.
        """
        ...

    def close(self) -> None:
        """Finish the commit under way and stop."""
        ...


class Journal(Generic[Payload]):
    """Collects entries into groups and commits them one after the other.

    For the loop's thread; `_next` and two steps of `_commit` are the committer's. What both threads
    change is changed under a lock: `open`, `_sealed`, `_owed`, `_filling`, `_idle`.

    Args:
        store: Where the rows go.
        committer: Runs the commits.
        release: Called on the loop with each durable group, in order: only now may answers and
            deliveries go out, and caches move to what is durable. The next group may be on its way
            to the disk already, but not if this one `reads`.
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
        fatal: Callable[[BaseException], None],
        payload: Callable[[], Payload],
        bound: int = WAITING_ENTRIES,
        observe: Callable[[Commit], None] | None = None,
    ) -> None:
        self._store = store
        self._committer = committer
        self._release = release
        self._fatal = fatal
        self._payload = payload
        self._bound = bound
        self._observe = observe
        self._lock = threading.Lock()
        self.open: Group[Payload] = Group(store.batch(), payload())
        self._filling = False
        """Whether a turn adds to `open`, so that it is not to be taken."""
        self._sealed: deque[Group[Payload]] = deque()
        """What nothing is added to any more, and what has to be taken before `open`."""
        self._sealed_entries = 0
        self._owed: deque[Group[Payload]] = deque()
        """Taken by the committer and not released."""
        self._last: UnderWay[Payload] | None = None
        """The commit that it has begun last."""
        self._idle = True
        """Whether the committer will not look for a next group before it is asked to."""
        self.dead = False
        self.commits = 0
        self.entries = 0
        self.puts = 0
        self.write_seconds = 0.0
        self.sync_seconds = 0.0

    def commit(self) -> None:
        """Let all be committed that there is: at once, or when the commit under way is done.

        Until then the open group goes on filling. Called at the end of a turn.
        """
        if self.dead:
            return
        with self._lock:
            self._filling = False
            if not self._idle:
                return
            if self.open.count:
                # It must find this whenever it looks, also while the next turn adds something.
                self._seal()
            if not self._sealed:
                return
            self._idle = False
        self._committer.submit(self._next, self._synced)

    def rotate_if_full(self) -> Group[Payload]:
        """The group to add the next entry to; a full one is set aside to be committed.

        It is the caller's until `commit`.
        """
        if not self._filling:
            with self._lock:
                self._filling = True
        if self.open.count >= GROUP_ENTRIES:
            with self._lock:
                self._seal()
        return self.open

    def barrier(self) -> Group[Payload] | None:
        """The newest group that may have been seen and is not durable; None if all is durable.

        An answer that shows what it has read belongs behind it.
        """
        with self._lock:
            if self.open.count:
                return self.open
            if self._sealed:
                return self._sealed[-1]
            return self._owed[-1] if self._owed else None

    @property
    def waiting(self) -> int:
        """Entries whose commit has not begun."""
        return self._sealed_entries + self.open.count

    @property
    def is_full(self) -> bool:
        """Whether so much waits that further changes must be refused."""
        return self.dead or self.waiting >= self._bound

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way to the disk."""
        return self.barrier() is None

    def close(self) -> None:
        """Let a commit under way finish its sync, and stop. Nothing is released any more."""
        self.dead = True
        self._committer.close()

    def _commit(self, group: Group[Payload]) -> Iterator[None]:
        """Write, sync, release. This order is what `sent` means: leave it as it is.

        The first two steps are taken in the committer's thread, the third on the loop. After
        `write` other reads can see the rows, but a power cut would still take them.
        """
        _reach("before-write")
        puts = len(group.batch)
        begun = time.monotonic_ns()
        self._store.write(group.batch)
        written = time.monotonic_ns()
        _reach("before-sync")
        yield
        self._store.sync()
        synced = time.monotonic_ns()
        _reach("after-sync")
        took = (written - begun) / 1e9, (synced - written) / 1e9
        yield
        self._count(Commit(group.count, puts, *took, synced))
        with self._lock:
            self._owed.popleft()
        _reach("before-answer")
        self._release(group)
        group.reads = False

    def _next(self) -> UnderWay[Payload] | None:
        """In the committer's thread: take the next group and write it, if there is one that may be.

        Never raises: what goes wrong here is heard of on the loop, as a failed write is.
        """
        try:
            group = self._take()
        except BaseException as error:  # noqa: BLE001 - what waits may never be committed
            self._last = failed = UnderWay(self.open, iter(()))
            failed.error = error
            return failed
        if group is None:
            return None
        self._last = under_way = UnderWay(group, self._commit(group))
        under_way.step()
        return under_way

    def _take(self) -> Group[Payload] | None:
        """The next group that is to be committed.

        After one that failed there is none, nor after one that `reads`, until it is released.
        """
        last = self._last
        with self._lock:
            held = last is not None and (last.error is not None or last.group.reads)
            if not (held or self._sealed or self._filling) and self.open.count:
                self._seal()
            if held or self.dead or not self._sealed:
                self._idle = True
                return None
            group = self._sealed.popleft()
            self._sealed_entries -= group.count
            self._owed.append(group)
        return group

    def _synced(self, under_way: UnderWay[Payload]) -> None:
        """On the loop: release what is durable, and go on with what that has made."""
        if self.dead:
            return
        under_way.step()
        if under_way.error is None:
            self.commit()
        else:
            self._die(under_way.error)

    def _die(self, error: BaseException) -> None:
        self.dead = True
        self._fatal(error)

    def _seal(self) -> None:
        """Set the open group aside to be committed and open another. With the lock held."""
        fresh = Group(self._store.batch(), self._payload())
        self._sealed.append(self.open)
        self._sealed_entries += self.open.count
        self.open = fresh

    def _count(self, done: Commit) -> None:
        self.commits += 1
        self.entries += done.entries
        self.puts += done.puts
        self.write_seconds += done.write_seconds
        self.sync_seconds += done.sync_seconds
        if self._observe is not None:
            self._observe(done)


class ThreadCommitter:
    """One thread that writes and syncs, so that the loop does not wait for the disk.

    Args:
        call_soon: The loop's `call_soon_threadsafe`.
    """

    def __init__(self, call_soon: Callable[..., object]) -> None:
        self._call_soon = call_soon
        self._jobs: SimpleQueue[tuple[Next, Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(self, following: Next, done: Done) -> None:
        """Commit in the thread what `following` gives; `done` hears of each on the loop."""
        self._jobs.put((following, done))

    def close(self) -> None:
        """Finish the commit under way and join the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            following, done = job
            under_way = following()
            while under_way is not None:
                under_way.step()
                # The next one is on its way before the loop hears of this one: it could not go on
                # anyway while this thread writes.
                after = following()
                self._call_soon(done, under_way)
                under_way = after


class ManualCommitter:
    """Writes at once and syncs when told to, for tests that decide what happens in between."""

    def __init__(self) -> None:
        self._jobs: deque[tuple[Next, Done]] = deque()
        self._under_way: UnderWay[Any] | None = None

    def submit(self, following: Next, done: Done) -> None:
        """Write, unless something is written already: then after `step`."""
        self._jobs.append((following, done))
        self._look()

    def step(self) -> bool:
        """Do the sync that is due and what follows on the loop; False if there is none."""
        under_way, self._under_way = self._under_way, None
        if under_way is None:
            return False
        under_way.step()
        _, done = self._jobs[0]
        self._look()
        done(under_way)
        return True

    def close(self) -> None:
        """Drop what was not stepped."""
        self._jobs.clear()
        self._under_way = None

    def _look(self) -> None:
        while self._under_way is None and self._jobs:
            following, _ = self._jobs[0]
            self._under_way = following()
            if self._under_way is None:
                self._jobs.popleft()


def _reach(point: str) -> None:
    if chaos.reach is not None:
        chaos.reach(point)
