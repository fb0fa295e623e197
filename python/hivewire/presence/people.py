"""Who is there: the devices of users, what each says of itself, and who has just gone.

A device counts as it last was for the linger after its line ended, so a device that flaps changes
nothing. Of a user who is connected, whom nobody watches and of whose devices none has said
anything, nothing is kept: the engine knows who that is. When his only line ends, little is:
`Departed` has it until there is more to remember.
"""

from __future__ import annotations

from heapq import heappop, heappush
from sys import intern
from typing import TYPE_CHECKING

from hivewire.core.entries import PresenceEntry
from hivewire.presence.departed import Departed
from hivewire.presence.person import AWAY, INVISIBLE, OFFLINE, ONLINE, Change, Gone, Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hivewire.presence.departed import Parting

JITTER_SHARE = 0.25
"""So much longer than the linger a device may count, so that those cut off together do not all
go offline in one moment (protocol, section 7)."""


class People:
    """Everybody of whom there is something to remember.

    Args:
        devices: Names of the devices with which a user is connected.
        linger_ms: How long a device counts after its line ended.
        jitter: A number between 0 and 1, another one each time.
    """

    def __init__(
        self, devices: Callable[[str], list[str]], linger_ms: int, jitter: Callable[[], float]
    ) -> None:
        self._devices = devices
        self._linger_ms = linger_ms
        self._jitter = jitter
        self._people: dict[str, Person] = {}
        self._departed = Departed()
        """Nobody is in both."""
        self._deadlines: list[tuple[int, Person]] = []
        """A heap. A person is in it once at most, however often his lines end."""

    def __len__(self) -> int:
        return len(self._people) + len(self._departed)

    @property
    def due(self) -> int | None:
        """When `expire` has something to do next."""
        departed = self._departed.due
        if not self._deadlines:
            return departed
        own = self._deadlines[0][0]
        return own if departed is None else min(own, departed)

    def find(self, user: str) -> Person | None:
        """The record of a user, if there is anything to remember."""
        person = self._people.get(user)
        if person is None and (parting := self._departed.take(user)) is not None:
            person = self._people[user] = _recalled(user, parting)
            self._arm(person, parting.until)
        return person

    def everybody(self) -> Iterator[Person]:
        """All records; of those who have just gone they are made to be looked at, not kept."""
        yield from self._people.values()
        for user, parting in self._departed.everybody():
            yield _recalled(user, parting)

    def keep(self, user: str) -> Person:
        """The record of a user."""
        person = self.find(user)
        if person is None:
            person = self._people[user] = Person(user)
        return person

    def forget_idle(self, person: Person) -> None:
        """Drop a record that holds nothing any more."""
        if person.is_idle:
            self._people.pop(person.user, None)

    def connected(self, user: str, device: str) -> Person | None:
        """A device has a line: it is online until it says otherwise.

        Returns whom to look at again, None if nobody can see a difference.
        """
        person = self._people.get(user)
        if person is None:
            self._departed.come_back(user, device)
            return None
        if person.statuses is not None:
            person.statuses.pop(device, None)
        person.came_back(device)
        return person

    def disconnected(self, user: str, device: str, now: int, ts: int) -> None:
        """A device has no line any more, since `ts`. For now that changes nothing."""
        until = now + self._linger_ms + int(self._linger_ms * JITTER_SHARE * self._jitter())
        # Devices have few names: when all lines are cut at once, each is kept once.
        device = intern(device)
        if user not in self._people and user not in self._departed:
            self._departed.add(user, device, until, ts)
            return
        person = self.keep(user)
        was = ONLINE if person.statuses is None else person.statuses.pop(device, ONLINE)
        person.came_back(device)
        person.lingering = (*person.lingering, Gone(device, was, until))
        person.left_ms = ts
        if not person.armed:
            self._arm(person, until)

    def plan_hide(self, user: str, ts: int) -> PresenceEntry | None:
        """What must be durable before an invisible device hides a user; None if one already does.

        Who hides before anybody was shown that he came keeps the `last_seen` of before.
        """
        person = self._people.get(user)
        if person is not None and person.hidden_ms is not None:
            return None
        if person is not None and person.watchers and person.shown.state == OFFLINE:
            ts = person.shown.last_seen or 0
        return PresenceEntry(user, ts, hidden=True)

    def set_status(self, user: str, device: str, state: str, hidden_ms: int) -> Person | None:
        """A device says how present it is. Returns whom to look at again.

        One whose line has just ended had said it before that. `hidden_ms` counts if the device is
        invisible and the first to be.
        """
        connected = device in self._devices(user)
        person = self.find(user)
        if not connected:
            if person is None or all(gone.device != device for gone in person.lingering):
                return None
            person.lingering = tuple(
                Gone(device, state, gone.until) if gone.device == device else gone
                for gone in person.lingering
            )
        elif state == ONLINE:
            if person is None or person.statuses is None:
                return None
            person.statuses.pop(device, None)
        else:
            person = self.keep(user)
            if person.statuses is None:
                person.statuses = {}
            person.statuses[device] = state
        if state == INVISIBLE and person.hidden_ms is None:
            person.hidden_ms = hidden_ms
        return person

    def settle_hiding(self, person: Person) -> None:
        """Let a user be seen again if none of his devices is invisible any more."""
        if person.hidden_ms is not None and not person.is_hiding():
            person.hidden_ms = None

    def look(self, person: Person) -> Change:
        """How others see him now."""
        user = person.user
        if person.hidden_ms is not None:
            return Change(user, OFFLINE, person.hidden_ms or None)
        statuses = person.statuses or {}
        states = {statuses.get(device, ONLINE) for device in self._devices(user)}
        states.update(gone.was for gone in person.lingering)
        if ONLINE in states:
            return Change(user, ONLINE)
        return Change(user, AWAY) if states else Change(user, OFFLINE, person.last_seen)

    def expire(self, now: int, limit: int) -> Iterator[tuple[Person, PresenceEntry | None]]:
        """Whose lingering devices count no longer: at most `limit` users.

        With an entry, the user is about to be offline: he is when that is `released`.
        """
        for user, parting in self._departed.expire(now, limit):
            limit -= 1
            if not self._devices(user):
                person = self._people[user] = _recalled(user, parting)
                person.writing = self._gone(person)
                yield person, person.writing
        deadlines = self._deadlines
        for _ in range(limit):
            if not deadlines or deadlines[0][0] > now:
                return
            _, person = heappop(deadlines)
            person.armed = False
            lingering = person.lingering
            late = tuple(gone for gone in lingering if gone.until > now)
            if lingering and not late and not self._devices(person.user):
                # They still count in what is shown, until this is durable.
                person.writing = self._gone(person)
                yield person, person.writing
            elif len(late) < len(lingering):
                person.lingering = late
                self._arm_next(person)
                yield person, None
            else:
                self._arm_next(person)
                self.forget_idle(person)

    def released(self, entry: PresenceEntry, now: int) -> Person | None:
        """A user's going offline is durable: now it counts. Returns whom to look at again."""
        person = self._people.get(entry.user)
        if person is None or person.writing is not entry:
            return None
        person.writing = None
        person.last_seen = entry.last_seen or None
        person.lingering = tuple(gone for gone in person.lingering if gone.until > now)
        return person

    def partings(self, connected: Iterable[str], ts: int) -> Iterator[PresenceEntry]:
        """For the end of the node: that everybody who is there is there no more."""
        here = set(connected)
        for user in here:
            person = self._people.get(user)
            if person is None:
                yield PresenceEntry(user, ts)
            else:
                person.left_ms = ts
                yield self._gone(person)
        for person in list(self._people.values()):
            if person.lingering and person.user not in here:
                yield self._gone(person)
        for user, parting in self._departed.everybody():
            if user not in here:
                yield PresenceEntry(user, parting.left_ms)

    def _gone(self, person: Person) -> PresenceEntry:
        if person.hidden_ms is not None:
            return PresenceEntry(person.user, person.hidden_ms, hidden=True)
        return PresenceEntry(person.user, person.left_ms)

    def rearm(self, person: Person) -> None:
        """See to it that a record which came from elsewhere expires."""
        if not person.armed:
            self._arm_next(person)

    def _arm_next(self, person: Person) -> None:
        if person.lingering:
            self._arm(person, min(gone.until for gone in person.lingering))

    def _arm(self, person: Person, deadline: int) -> None:
        person.armed = True
        heappush(self._deadlines, (deadline, person))


def _recalled(user: str, parting: Parting) -> Person:
    """The record of a user who has just gone."""
    person = Person(user)
    person.lingering = (Gone(parting.device, ONLINE, parting.until),)
    person.left_ms = parting.left_ms
    return person
