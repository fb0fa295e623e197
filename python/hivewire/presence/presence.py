"""Presence as a state machine: what happens goes in with its time, what is due comes out of `turn`.

What a user's watchers were told and how he is now meet in the end, whatever happens in between:
a change is looked at after `gather`, and told only if it is still one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from hivewire.core.entries import PresenceEntry, Rejection
from hivewire.presence.people import People
from hivewire.presence.person import INVISIBLE, OFFLINE, Change, Person, Watcher
from hivewire.presence.watchers import ASKED_BURST, Watchers, distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hivewire.config import Settings

EXPIRED_A_TURN = 200
"""Users who go offline in one turn: their rows hold the interpreter lock for about 1 ms."""
LOOKS_A_TURN = 10_000
"""Pairs of a watcher and a user that are gone through in one turn: about 2 ms."""
TURN_MS = 20
"""Turns are so far apart at least: what one turn leaves waits for so long."""


class Turn(NamedTuple):
    """What is due now."""

    entries: list[PresenceEntry]
    """To be written; once they are durable they go back to `released`."""
    batches: list[tuple[Watcher, list[Change]]]
    """To be pushed, each to one connection. May be dropped for a slow reader."""


class Presence:
    """Who is there on this node, and who is told. Loop thread only.

    Times are `now`, milliseconds of a clock that only goes forward, and `ts`, milliseconds since
    the Unix epoch. The connect of a user whom nobody watches costs a look into a dict, the end of
    his line a record for as long as he lingers.

    Args:
        settings: Of the node: `presence` and `limits.watch`.
        devices: Names of the devices with which a user is connected.
        last_seen: When each of some users was last there, as stored (ms since the epoch or None).
        is_blocked: Whether a user (first) has blocked another one.
        jitter: A number between 0 and 1, another one each time.
        wake: Told a time (ms) at which `turn` is to be called; the earliest counts.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        devices: Callable[[str], list[str]],
        last_seen: Callable[[Sequence[str]], list[int | None]],
        is_blocked: Callable[[str, str], bool],
        jitter: Callable[[], float],
        wake: Callable[[int], None],
    ) -> None:
        ours, limit = settings.presence, settings.limits.watch
        self._gather_ms = ours.gather
        self._watch_limit = limit
        self._pairs_limit = ours.watched
        self._changes_a_turn = max(1, ours.changes_per_second * TURN_MS // 1000)
        self._last_seen = last_seen
        self._is_blocked = is_blocked
        self._wake = wake
        self.people = People(devices, ours.linger, jitter)
        each = max(1, ours.changes_per_watcher * ours.gather // 1000)
        asked = ours.changes_per_watcher
        self.watchers = Watchers(ours.gather, each, asked, ASKED_BURST * limit)
        self._dirty: deque[tuple[int, Person]] = deque()
        """Who may look different, and when to look."""
        self._closed: deque[Watcher] = deque()
        """Watchers on connections that are gone, while their people still hold them."""
        self._parted = False
        """The node ends: of everybody it is being written that he is gone."""

    # -- what happens -----------------------------------------------------------------------------

    def connected(self, user: str, device: str, now: int) -> None:
        """A device has got `connected`; the engine knows it by the time of the next `turn`."""
        person = self.people.connected(user, device)
        if person is not None:
            self._look_later(person, now)

    def disconnected(self, user: str, device: str, now: int, ts: int) -> None:
        """The line of a device has ended and no newer one replaces it."""
        if self._parted:
            return
        self.people.disconnected(user, device, now, ts)
        self._wake_for(self.people.due)

    def closed(self, conn: int, now: int) -> None:
        """A connection has ended, and with it what it watched."""
        watcher = self.watchers.close(conn)
        if watcher is not None:
            self._closed.append(watcher)
            self._wake(now)

    def plan_status(self, user: str, state: str, ts: int) -> PresenceEntry | None:
        """What must be durable before `set_status` with this state."""
        return self.people.plan_hide(user, ts) if state == INVISIBLE else None

    def set_status(self, user: str, device: str, state: str, hidden_ms: int, now: int) -> None:
        """A device says how present it is; `hidden_ms` is `last_seen` of what was planned."""
        person = self.people.set_status(user, device, state, hidden_ms)
        if person is not None:
            self._look_later(person, now)

    def block_changed(self, by: str, user: str, now: int, *, blocked: bool) -> None:
        """`by` has blocked `user`, or no longer, and that is durable."""
        person = self.people.find(by)
        if person is not None:
            self.watchers.block(person, user, now, blocked=blocked)
            self._wake_for(self.watchers.due)

    def watch(
        self, conn: int, user: str, encoding: int, users: Sequence[str], now: int
    ) -> list[Change] | Rejection:
        """Let a connection watch more users. Returns how they are now, or why not; then none is.

        To be called when all that was written is durable, because it reads.
        """
        wanted = distinct(users)
        watcher = self.watchers.keep(conn, user, encoding)
        refusal = self._refuse_watch(watcher, wanted, now)
        if refusal is not None:
            return refusal
        people = [self.people.keep(name) for name in wanted]
        self._begin_showing([person for person in people if not person.watchers])
        for person in people:
            blocked = self._is_blocked(person.user, user)
            self.watchers.add(watcher, person, blocked=blocked)
        return [watcher.sees(person) for person in people]

    def glance(self, users: Sequence[str]) -> list[Change]:
        """How users are now, each once; nobody watches them for it.

        To be called when all that was written is durable, because it reads.
        """
        people = [self.people.keep(name) for name in distinct(users)]
        self._begin_showing([person for person in people if not person.watchers])
        for person in people:
            self.people.forget_idle(person)
        return [person.shown for person in people]

    def unwatch(self, conn: int, users: Iterable[str]) -> None:
        """Let a connection watch these users no longer; those it does not watch do not matter."""
        watcher = self.watchers.find(conn)
        if watcher is None:
            return
        for user in users:
            person = self.people.find(user)
            if person is not None:
                self.watchers.remove(watcher, person)
                self.people.forget_idle(person)

    def released(self, entries: Iterable[PresenceEntry], now: int) -> None:
        """Entries of a `turn` are durable: those users are offline now."""
        for entry in entries:
            person = self.people.released(entry, now)
            if person is not None:
                # It has waited for the linger: there is nothing to gather for.
                self._look_later(person, now, 0)

    def look_again(self, person: Person, now: int) -> None:
        """See to it that what a user's watchers are told is how he is."""
        self._look_later(person, now)

    def figures(self) -> dict[str, int]:
        """Gauges, by the names of `metrics.PRESENCE`."""
        watchers = self.watchers
        return {
            "watchers": len(watchers),
            "watched": watchers.pairs,
            "people": len(self.people),
        }

    # -- what is due ------------------------------------------------------------------------------

    @property
    def due(self) -> int | None:
        """When `turn` has something to do next, None if nothing is pending. 0: now."""
        times = [self.people.due, self.watchers.due, self._dirty[0][0] if self._dirty else None]
        if self._closed:
            times.append(0)
        return min((at for at in times if at is not None), default=None)

    def turn(self, now: int, *, may_write: bool = True) -> Turn:
        """What is due, bounded; what is left stays due. Without `may_write` nobody goes offline."""
        entries = list(self._expire(now)) if may_write else []
        left = self._part(LOOKS_A_TURN)
        self._look(now, left)
        return Turn(entries, list(self.watchers.batches(now, self._changes_a_turn)))

    def partings(self, connected: Iterable[str], ts: int) -> Iterator[PresenceEntry]:
        """At the end of the node: what is to be written of everybody who was there until now."""
        self._parted = True
        return self.people.partings(connected, ts)

    # -- inside -----------------------------------------------------------------------------------

    def _refuse_watch(self, watcher: Watcher, wanted: list[str], now: int) -> Rejection | None:
        known = sum(1 for name in wanted if self.people.find(name) in watcher.people)
        more = len(wanted) - known
        if len(watcher.people) + more > self._watch_limit:
            text = f"a connection may watch {self._watch_limit} users"
            return Rejection("too_large", text, "users")
        if self.watchers.pairs + more > self._pairs_limit:
            return Rejection("unavailable", "the node watches too much", retryable=True)
        wait = self.watchers.ask(watcher, len(wanted), now)
        if wait:
            text = "too many users asked for"
            return Rejection("rate_limited", text, retryable=True, retry_after_ms=wait)
        return None

    def _begin_showing(self, people: Sequence[Person]) -> None:
        """Find how users are whom nobody watched so far."""
        unknown: list[Person] = []
        for person in people:
            person.shown = self.people.look(person)
            if person.shown.state == OFFLINE and person.shown.last_seen is None:
                unknown.append(person)
        found = self._last_seen([person.user for person in unknown]) if unknown else ()
        for person, last_seen in zip(unknown, found, strict=True):
            person.last_seen = last_seen
            person.shown = Change(person.user, OFFLINE, last_seen)

    def _expire(self, now: int) -> Iterator[PresenceEntry]:
        for person, entry in self.people.expire(now, EXPIRED_A_TURN):
            if entry is not None:
                yield entry
            else:
                self._look_later(person, now, 0)

    def _part(self, budget: int) -> int:
        """Take closed watchers off their people. Returns what is left of the budget."""
        while self._closed and budget > 0:
            watcher = self._closed.popleft()
            budget -= len(watcher.people)
            for person in list(watcher.people):
                self.watchers.remove(watcher, person)
                self.people.forget_idle(person)
        return budget

    def _look_later(self, person: Person, now: int, after_ms: int | None = None) -> None:
        if person.dirty:
            return
        if not person.watchers and person.hidden_ms is None:
            self.people.forget_idle(person)
            return
        person.dirty = True
        if after_ms is None:
            at = now + self._gather_ms
            self._dirty.append((at, person))
        else:
            at = now + after_ms
            self._dirty.appendleft((at, person))
        self._wake(at)

    def _look(self, now: int, budget: int) -> None:
        """Look at those who may look different, and tell their watchers' queues."""
        dirty = self._dirty
        while dirty and dirty[0][0] <= now and budget > 0:
            _, person = dirty.popleft()
            person.dirty = False
            self.people.settle_hiding(person)
            if person.watchers:
                budget -= len(person.watchers)
                change = self.people.look(person)
                if change != person.shown:
                    self.watchers.show(person, change, now)
            budget -= 1
            self.people.forget_idle(person)

    def _wake_for(self, due: int | None) -> None:
        if due is not None:
            self._wake(due)
