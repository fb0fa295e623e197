"""Looks after each user who has something in the outbox when it is due, and writes what came of it.

Memory holds a small object for each such user and nothing of others. Everything is decided from the
rows, so a kill at any moment loses nothing: what was under way is done again.
"""

from __future__ import annotations

import heapq
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import msgspec
import structlog

from hivewire.core.entries import OutboxEntry
from hivewire.push.backoff import delay
from hivewire.push.outlook import Situation, given_up, look, step_of
from hivewire.push.trail import Trail
from hivewire.store import keys, pushes
from hivewire.store.pushes import Push, Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hivewire.config.push import Push as Settings
    from hivewire.core.entries import MarkEntry
    from hivewire.delivery import Delivery
    from hivewire.metrics import Metrics
    from hivewire.push.outlook import Job
    from hivewire.push.slots import Slots
    from hivewire.push.transport import Outcome

log = structlog.get_logger(__name__)

ROWS_A_LOOK: Final = 1200
"""Rows of one user that are read in one go: all that may wait for ten devices, and some held."""
USERS_A_TURN: Final = 40
"""Users who are looked at in one go: some 50 µs each."""
DEVICES_READ: Final = 64
"""Devices whose cursors are looked at; registrations and what they were shown of a conversation."""
SETTLED: Final = {
    "ok": "delivered",
    "retry": "failed",
    "dead": "gave up",
    "gone": "unregistered",
    "needless": "cancelled",
}
"""How the trail calls the ends of a request."""
BEHIND_MS: Final = 50
"""Until the next turn where the disk is behind."""


class Timer(Protocol):
    """A call that waits for its time."""

    def cancel(self) -> None:
        """Not any more."""
        ...


class Clock(Protocol):
    """Time and chance, and what runs later."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...

    def chance(self) -> float:
        """Random, from 0 to 1."""
        ...

    def call_later(self, seconds: float, call: Callable[[], None], /) -> Timer:
        """Call once, after so long."""
        ...


class _Waiting:
    """A user with rows in the outbox."""

    __slots__ = ("at", "busy", "called", "not_before", "writing")

    def __init__(self) -> None:
        self.at: int | None = None
        """When to look, ms since the Unix epoch."""
        self.not_before = 0
        self.busy: set[str] = set()
        """Lanes with a request under way."""
        self.called: set[str] = set()
        """Hosts that have had room for him since the last look."""
        self.writing = 0
        """Entries on their way to the disk: until then the rows are not what they say."""


class Dispatcher:
    """The outbox of one node. Loop thread only.

    Args:
        settings: Those of pushes.
        delivery: Where entries go.
        metrics: Where to count.
        clock: Time and chance.
        act: Does something between two turns of the node, and commits it.
        devices: Names the devices with which a user is connected.
        slots: How many requests there may be.
        start: Begins a request for a job; its outcome comes back to `settled`.
    """

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        metrics: Metrics,
        clock: Clock,
        *,
        act: Callable[[Callable[[], None]], None],
        devices: Callable[[str], list[str]],
        slots: Slots,
        start: Callable[[Job], None],
    ) -> None:
        self._settings = settings
        self._delivery = delivery
        self._view = delivery.view
        self._store = delivery.view.store
        self._metrics = metrics
        self._clock = clock
        self._act = act
        self._devices = devices
        self._slots = slots
        self._start = start
        self._waiting: dict[str, _Waiting] = {}
        self._due: list[tuple[int, str]] = []
        self._timer: Timer | None = None
        self._timer_at = 0
        self._stopped = False
        self.trail = Trail()
        """What became of the newest pushes, for who asks."""
        self.overlooked = False
        """Whether there are users for whom there was no room: the outbox must be read again."""

    @property
    def users(self) -> int:
        """Users who have pushes on their way and are in memory."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether users who were overlooked would find room now."""
        return len(self._waiting) <= self._settings.waiting // 2

    def stop(self) -> None:
        """Look at nobody any more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    # -- what happens -----------------------------------------------------------------------------

    def held(self, users: Iterable[str]) -> None:
        """Messages for these users are in the outbox, and durable."""
        at = self._clock.now_ms() + self._settings.hold
        for user in users:
            self.wake(user, at)

    def found(self, users: Iterable[str]) -> None:
        """These users have rows from before the node started, or from when there was no room."""
        at = self._clock.now_ms() + self._settings.hold
        for user in users:
            if user not in self._waiting:
                self.wake(user, at)
                if user in self._waiting:
                    self._waiting[user].not_before = at

    def parted(self, user: str) -> None:
        """A device of this user has no line any more; it gets a moment to come back."""
        waiting = self._waiting.get(user)
        if waiting is not None:
            waiting.not_before = self._clock.now_ms() + self._settings.hold
            self.wake(user, waiting.not_before)

    def read(self, mark: MarkEntry) -> None:
        """A user's mark is durable: take back what it covers from devices that show it."""
        if not mark.read or not self._view.user(mark.user).pushed:
            return
        start, outbox = pushes.shown_prefix(mark.user, mark.conv), self._store.columns.outbox
        rows = self._store.scan(outbox, start, keys.range_end(start), DEVICES_READ)
        here = self._devices(mark.user) if rows else ()
        gone: list[bytes] = []
        clears: list[tuple[bytes, bytes]] = []
        for key, value in rows:
            shown = pushes.parse_shown(value)
            if shown.n > mark.read:
                continue
            gone.append(key)
            device = pushes.split_outbox_key(key).device
            if device not in here:
                clears.append(self._clear(mark.user, device, mark.conv, mark.read, shown.seq))
        if gone:
            self._write(mark.user, OutboxEntry(tuple(gone), tuple(clears)))

    def settled(self, job: Job, outcome: Outcome) -> None:
        """A request has ended."""
        what = "clear" if job.push.what == pushes.CLEAR else "message"
        kind = job.registration.kind
        result = outcome.result
        if result == "retry" and job.push.attempts + 1 >= self._settings.attempts:
            result = "dead"
        self._metrics.pushes[kind, what, result] += 1
        self._note(job, SETTLED[result], outcome.said)
        rows: list[tuple[bytes, bytes]] = []
        if result == "ok":
            rows += self._delivered(job)
        elif result == "retry":
            rows.append((job.key, pushes.push_value(self._later(job, outcome))))
        elif result == "dead":
            place = pushes.split_outbox_key(job.key)
            push = job.push._replace(attempts=job.push.attempts + 1)
            rows.append(given_up(place, push, outcome.said, self._clock.now_ms()))
        elif result == "gone":
            self._delivery.unregister(job.user, job.device)
        gone = () if result == "retry" else (job.key,)
        self._waiting[job.user].busy.discard(job.lane)
        self._write(job.user, OutboxEntry(gone, tuple(rows)))

    def _note(self, job: Job, step: str, said: str) -> None:
        now = self._clock.now_ms()
        self.trail.note(now, job.user, job.seq, job.device, step_of(job.push, step), said)

    def _later(self, job: Job, outcome: Outcome) -> Push:
        failures = job.push.attempts + 1
        wait = delay(failures, self._settings.backoff, self._clock.chance())
        due = self._clock.now_ms() + max(wait, outcome.after_ms)
        return job.push._replace(attempts=failures, due=due)

    def _delivered(self, job: Job) -> list[tuple[bytes, bytes]]:
        """What is to be remembered of a push that a device has got."""
        push, now = job.push, self._clock.now_ms()
        if push.what == pushes.CLEAR:
            return []
        read = self._view.marks.load(push.conv, job.user).read
        if read >= push.n:
            # It was read while the request was under way.
            return [self._clear(job.user, job.device, push.conv, read, job.seq)]
        key = pushes.shown_key(job.user, push.conv, job.device)
        return [(key, pushes.shown_value(Shown(push.n, job.seq, now)))]

    def _clear(self, user: str, device: str, conv: str, n: int, seq: int) -> tuple[bytes, bytes]:
        now = self._clock.now_ms()
        push = Push(pushes.CLEAR, 0, now, now, conv, n)
        return pushes.push_key(user, seq, device), pushes.push_value(push)

    # -- when to look -----------------------------------------------------------------------------

    def wake(self, user: str, at: int) -> None:
        """Look at a user at `at` (ms since the Unix epoch), or sooner."""
        waiting = self._waiting.get(user)
        if waiting is None:
            if len(self._waiting) >= self._settings.waiting:
                self.overlooked = True
                return
            waiting = self._waiting[user] = _Waiting()
        if waiting.at is not None and waiting.at <= at:
            return
        waiting.at = at
        heapq.heappush(self._due, (at, user))
        self._set_timer()

    def _set_timer(self) -> None:
        """Be called when the first one is due."""
        if self._stopped or not self._due:
            return
        at = self._due[0][0]
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        wait = max(0, at - self._clock.now_ms()) / 1000
        self._timer = self._clock.call_later(wait, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._delivery.journal.is_full:
            self._timer_at = self._clock.now_ms() + BEHIND_MS
            self._timer = self._clock.call_later(BEHIND_MS / 1000, self._on_timer)
        elif not self._stopped:
            self._act(self._turn)
            self._set_timer()

    def _turn(self) -> None:
        """Look at those who are due, some at a time."""
        now = self._clock.now_ms()
        for _ in range(USERS_A_TURN):
            if not self._due or self._due[0][0] > now:
                return
            at, user = heapq.heappop(self._due)
            waiting = self._waiting.get(user)
            if waiting is not None and waiting.at == at:
                waiting.at = None
                self._look_safely(user, waiting)

    def _look_safely(self, user: str, waiting: _Waiting) -> None:
        """One user's rows that cannot be read must not stop the pushes of all others."""
        try:
            self._look(user, waiting)
        except (keys.RowError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("the outbox of a user cannot be read", user=user, error=str(error))  # noqa: TRY400 - the rows are at fault

    # -- looking ----------------------------------------------------------------------------------

    def _look(self, user: str, waiting: _Waiting) -> None:
        if waiting.writing:
            return  # `_written` comes back
        store, now = self._store, self._clock.now_ms()
        start, end = keys.prefix(user), pushes.waiting_end(user)
        rows = store.scan(store.columns.outbox, start, end, ROWS_A_LOOK)
        found = look(rows, self._situation(user, waiting, now))
        for told in found.told:
            self.trail.note(now, user, *told)
        self._begin(found.jobs, waiting)
        for host in waiting.called:
            self._call(host)
        waiting.called.clear()
        if found.entry is not None:
            self._write(user, found.entry)
        elif found.again is not None:
            self.wake(user, found.again)
        elif not rows and not waiting.busy:
            del self._waiting[user]

    def _situation(self, user: str, waiting: _Waiting, now: int) -> Situation:
        """How things are with a user now."""
        store, settings = self._store, self._settings
        prefix = keys.prefix(user)
        cursors = store.scan(store.columns.cursors, prefix, keys.range_end(prefix), DEVICES_READ)
        return Situation(
            now=now,
            hold=settings.hold,
            not_before=waiting.not_before,
            expires=settings.expires,
            head=self._view.user(user).durable,
            acked=max((keys.parse_cursor_value(row).cursor for _, row in cursors), default=0),
            read=partial(self._read_up_to, user),
            here=bool(self._devices(user)),
            registrations=registrations_of(self._delivery, user),
            busy=waiting.busy,
        )

    def _read_up_to(self, user: str, conv: str) -> int:
        return self._view.marks.load(conv, user).read

    def _begin(self, jobs: list[Job], waiting: _Waiting) -> None:
        """Start the requests for which there is room; the others get theirs in turn."""
        for job in jobs:
            if self._slots.take(host_of(job), job.user):
                waiting.busy.add(job.lane)
                waiting.called.discard(host_of(job))
                self._note(job, "sent", host_of(job))
                self._start(job)

    def released(self, job: Job) -> None:
        """The slot of a job is free: the next one of its host may begin."""
        host = host_of(job)
        self._called(host, self._slots.release(host))

    def _call(self, host: str) -> None:
        """Who was called for a slot had no use for it: the next one may."""
        self._called(host, self._slots.next(host))

    def _called(self, host: str, user: str | None) -> None:
        while user is not None:
            waiting = self._waiting.get(user)
            if waiting is not None:
                waiting.called.add(host)
                self.wake(user, self._clock.now_ms())
                return
            user = self._slots.next(host)

    def _write(self, user: str, entry: OutboxEntry) -> None:
        """Change rows of a user, and look at him again when that is durable."""
        waiting = self._waiting.get(user)
        if waiting is None:
            waiting = self._waiting[user] = _Waiting()
        waiting.writing += 1
        self._delivery.outbox(entry)
        self._delivery.when_durable(partial(self._written, user, waiting))

    def _written(self, user: str, waiting: _Waiting) -> None:
        waiting.writing -= 1
        if not waiting.writing and not self._stopped:
            self.wake(user, self._clock.now_ms())


def host_of(job: Job) -> str:
    """Whom a job calls: the name of a webhook, or the host of a push service."""
    endpoint = job.registration.endpoint
    return endpoint if job.registration.kind == "webhook" else urlsplit(endpoint).netloc


def registrations_of(delivery: Delivery, user: str) -> dict[str, pushes.Registration]:
    """The registered devices of a user, as the store has them."""
    store = delivery.view.store
    start, end = pushes.registered_range(user)
    rows = store.scan(store.columns.devices, start, end, 256)
    return {key[len(start) :].decode(): pushes.parse_registration(value) for key, value in rows}
