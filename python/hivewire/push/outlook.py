"""What is to be done now about one user's pushes: decided from his rows, without doing it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from hivewire.core.entries import OutboxEntry
from hivewire.store import pushes
from hivewire.store.pushes import CLEAR, Dead, Push

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from hivewire.store.pushes import OutboxKey, Registration

HERE_MS: Final = 15_000
"""A user who is connected and does not acknowledge is looked at again after this."""
QUEUED: Final = 100
"""Pushes that wait for one device; a further one is a dead letter at once."""
EXPIRED: Final = "expired"
CROWDED: Final = "too many wait for the device"
WEBHOOKS: Final = ""
"""The lane of all webhooks of a user; no device is named so."""


class Situation(NamedTuple):
    """How things are with a user. Times are ms since the Unix epoch, or for so long."""

    now: int
    hold: int
    not_before: int
    """Until then he may come back: he has just gone, or the node has just started."""
    expires: int
    head: int
    """The last durable place of his timeline."""
    acked: int
    """Up to here one of his devices has everything."""
    read: Callable[[str], int]
    """Up to which `n` he has read a conversation."""
    here: bool
    """Whether a device is connected."""
    registrations: Mapping[str, Registration]
    """By device."""
    busy: Collection[str]
    """Lanes with a request under way."""


class Job(NamedTuple):
    """A push that is to be delivered now."""

    user: str
    device: str
    seq: int
    push: Push
    registration: Registration

    @property
    def lane(self) -> str:
        """What goes out one after the other: a user's webhooks, or a browser's pushes."""
        return lane_of(self.device, self.registration)

    @property
    def key(self) -> bytes:
        """Its row in the outbox."""
        return pushes.push_key(self.user, self.seq, self.device)


class Outlook(NamedTuple):
    """What to do."""

    entry: OutboxEntry | None
    """Rows to be changed; when that is durable, look again."""
    jobs: list[Job]
    again: int | None
    """When to look again, ms since the Unix epoch; None: nothing waits for a time."""
    told: list[tuple[int, str, str, str]]
    """What was decided, for who asks: `seq`, device (empty while there is none), step, reason."""


def lane_of(device: str, registration: Registration) -> str:
    """The lane of a device."""
    return WEBHOOKS if registration.kind == "webhook" else device


def look(rows: Iterable[tuple[bytes, bytes]], situation: Situation) -> Outlook:
    """Decide about the rows that are held or to be delivered, in order of their keys."""
    plan = _Plan(situation)
    for key, value in rows:
        place = pushes.split_outbox_key(key)
        if place.seq > situation.head:
            break
        if place.kind == "held":
            plan.held(key, place, value)
        else:
            plan.push(key, place, pushes.parse_push(value))
    entry = OutboxEntry(tuple(plan.gone), tuple(plan.rows)) if plan.gone else None
    return Outlook(entry, plan.jobs, plan.again, plan.told)


class _Plan:
    """What has been decided so far."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._taken = set(situation.busy)
        """Lanes in which something comes before."""
        self._queued: Counter[str] = Counter()
        """Pushes that wait, by device."""
        self.gone: list[bytes] = []
        self.rows: list[tuple[bytes, bytes]] = []
        self.jobs: list[Job] = []
        self.again: int | None = None
        self.told: list[tuple[int, str, str, str]] = []

    def held(self, key: bytes, place: OutboxKey, value: bytes) -> None:
        """A message that waits: it is known by now, or its moment comes, or not yet."""
        now, held = self._situation.now, pushes.parse_held(value)
        moment = max(held.ts + self._situation.hold, self._situation.not_before)
        known = self._known(place.seq, held.conv, held.n)
        if known or self._is_old(held.ts):
            self.gone.append(key)
            self._tell(place, "cancelled", known or EXPIRED)
        elif moment > now:
            self._wait(moment)
        elif self._situation.here:
            self._wait(now + HERE_MS)
        else:
            self.gone.append(key)
            push = Push(pushes.MESSAGE, 0, now, held.ts, held.conv, held.n)
            self.rows += [
                self._queue(place._replace(device=device), push)
                for device in self._situation.registrations
            ]

    def _queue(self, place: OutboxKey, push: Push) -> tuple[bytes, bytes]:
        """The row of a push for a device, or of its end where too many wait for that device."""
        self._queued[place.device] += 1
        if self._queued[place.device] > QUEUED:
            self._tell(place, "gave up", CROWDED)
            return given_up(place, push, CROWDED, self._situation.now)
        self._tell(place, "due", self._situation.registrations[place.device].kind)
        return pushes.push_key(place.user, place.seq, place.device), pushes.push_value(push)

    def push(self, key: bytes, place: OutboxKey, push: Push) -> None:
        """A push for a device: it has become needless, or is in turn, or not yet."""
        situation = self._situation
        registration = situation.registrations.get(place.device)
        is_clear = push.what == CLEAR
        if registration is None:
            self.gone.append(key)
            self._tell(place, step_of(push, "cancelled"), "the device is not registered any more")
            return
        self._queued[place.device] += 1
        lane = lane_of(place.device, registration)
        if lane in self._taken:
            return
        known = "" if is_clear else self._known(place.seq, push.conv, push.n)
        if known:
            self.gone.append(key)
            self._tell(place, "cancelled", known)
        elif self._is_old(push.ts):
            self.gone.append(key)
            step = "gave up" if push.attempts else "cancelled"
            self._tell(place, step_of(push, step), EXPIRED)
            if push.attempts:
                self.rows.append(given_up(place, push, EXPIRED, situation.now))
        elif situation.here and not is_clear:
            self._wait(situation.now + HERE_MS)
        else:
            # What comes later for the same lane waits for this one: they arrive in order.
            self._taken.add(lane)
            if push.due > situation.now:
                self._wait(push.due)
            else:
                self.jobs.append(Job(place.user, place.device, place.seq, push, registration))

    def _known(self, seq: int, conv: str, n: int) -> str:
        """By what some device has the message, or the user has read it; empty if not."""
        if seq <= self._situation.acked:
            return "a device has acknowledged it"
        return "it was read" if n <= self._situation.read(conv) else ""

    def _tell(self, place: OutboxKey, step: str, reason: str) -> None:
        self.told.append((place.seq, place.device, step, reason))

    def _is_old(self, ts: int) -> bool:
        return ts + self._situation.expires <= self._situation.now

    def _wait(self, until: int) -> None:
        if self.again is None or until < self.again:
            self.again = until


def step_of(push: Push, step: str) -> str:
    """A step of a push, in words: what takes one back has steps of its own."""
    return f"clear {step}" if push.what == CLEAR else step


def given_up(place: OutboxKey, push: Push, error: str, now: int) -> tuple[bytes, bytes]:
    """The row of a dead letter."""
    dead = Dead(push.what, push.attempts, push.ts, push.conv, push.n, now, error)
    return pushes.dead_key(place.user, place.seq, place.device), pushes.dead_value(dead)
