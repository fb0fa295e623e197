"""Who wants to know, what each was told, and how much each is told at a time.

Of what a watcher was told only the differences to what is shown now are kept, so a pair of a
watcher and a user costs two places in sets. While nothing changes nothing is held besides; a user
who changes ten times before his watcher is told next is told once, or not at all.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from hivewire.presence.person import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hivewire.presence.person import Change, Person

ASKED_BURST = 2
"""A connection may ask for so many times `limits.watch` users at once; after that they cost time,
because each one's `last_seen` may have to be read."""


class Watchers:
    """All connections that watch, and the queue of those who are to be told something.

    Args:
        gather_ms: How long changes are gathered: so far apart are two pushes to one connection.
        changes: Changes that one push may hold.
        asked_per_second: Users that one connection may ask for, sustained.
        asked_burst: Users that it may ask for at once.
    """

    def __init__(
        self, gather_ms: int, changes: int, asked_per_second: int, asked_burst: int
    ) -> None:
        self._gather_ms = gather_ms
        self._changes = changes
        self._asked_per_second = asked_per_second
        self._asked_burst = asked_burst
        self._by_conn: dict[int, Watcher] = {}
        self._queue: list[tuple[int, int, Watcher]] = []
        """A heap by the time from which on each may be told."""
        self._serial = count()
        self.pairs = 0
        """Watched users, summed over all connections."""

    def __len__(self) -> int:
        return len(self._by_conn)

    @property
    def due(self) -> int | None:
        """When `batches` has something to do next."""
        return self._queue[0][0] if self._queue else None

    def find(self, conn: int) -> Watcher | None:
        """The watcher on a connection, if it ever watched."""
        return self._by_conn.get(conn)

    def everybody(self) -> Iterable[Watcher]:
        """All watchers on connections that are open."""
        return self._by_conn.values()

    def owe(self, watcher: Watcher, person: Person, told: Change, now: int) -> None:
        """A watcher that was told `told` of a user may be owed something else by now."""
        watcher.pending[person] = told
        self._enqueue(watcher, now)

    def keep(self, conn: int, user: str, encoding: int) -> Watcher:
        """The watcher on a connection."""
        watcher = self._by_conn.get(conn)
        if watcher is None:
            watcher = self._by_conn[conn] = Watcher(conn, user, encoding)
        return watcher

    def ask(self, watcher: Watcher, users: int, now: int) -> int:
        """Count `users` that are asked for. Returns the milliseconds to wait if they are too many.

        What is refused is not counted.
        """
        rate = self._asked_per_second / 1000
        asked = max(0.0, watcher.asked - (now - watcher.asked_at) * rate)
        watcher.asked, watcher.asked_at = asked, now
        if asked + users > self._asked_burst:
            return int((asked + users - self._asked_burst) / rate) + 1
        watcher.asked += users
        return 0

    def add(self, watcher: Watcher, person: Person, *, blocked: bool) -> None:
        """From now on it is told about a user; how he looks now it is told by the caller."""
        if person not in watcher.people:
            self.pairs += 1
            watcher.people.add(person)
            if person.watchers is None:
                person.watchers = set()
            person.watchers.add(watcher)
        if blocked:
            watcher.blocked_by |= {person}
        elif watcher.blocked_by:
            watcher.blocked_by -= {person}
        watcher.pending.pop(person, None)

    def remove(self, watcher: Watcher, person: Person) -> None:
        """It is told about a user no longer."""
        if person not in watcher.people:
            return
        self.pairs -= 1
        watcher.people.discard(person)
        watcher.pending.pop(person, None)
        watcher.blocked_by -= {person}
        if person.watchers is not None:
            person.watchers.discard(watcher)

    def close(self, conn: int) -> Watcher | None:
        """A connection has ended: nothing goes to it any more. Its people are to be removed."""
        watcher = self._by_conn.pop(conn, None)
        if watcher is not None:
            watcher.gone = True
            watcher.pending.clear()
        return watcher

    def show(self, person: Person, change: Change, now: int) -> None:
        """A user looks different: whoever watches him is to be told."""
        before, person.shown = person.shown, change
        for watcher in person.watchers or ():
            if not watcher.gone and person not in watcher.blocked_by:
                watcher.pending.setdefault(person, before)
                self._enqueue(watcher, now)

    def block(self, person: Person, user: str, now: int, *, blocked: bool) -> None:
        """A user has blocked another one, or no longer: the other's devices see it."""
        for watcher in person.watchers or ():
            if watcher.user == user and not watcher.gone:
                before = watcher.sees(person)
                if blocked:
                    watcher.blocked_by |= {person}
                else:
                    watcher.blocked_by -= {person}
                watcher.pending.setdefault(person, before)
                self._enqueue(watcher, now)

    def batches(self, now: int, limit: int) -> Iterator[tuple[Watcher, list[Change]]]:
        """What is to be pushed now, about `limit` changes in all.

        Who has been told something rests; what does not fit into his push waits, so that the
        newest goes out in the end.
        """
        queue = self._queue
        while queue and queue[0][0] <= now and limit > 0:
            _, _, watcher = heappop(queue)
            watcher.queued = False
            changes = self._take(watcher)
            limit -= max(1, len(changes))
            if changes:
                watcher.rests_until = now + self._gather_ms
                yield watcher, changes
            if watcher.pending:
                self._enqueue(watcher, now)

    def _take(self, watcher: Watcher) -> list[Change]:
        changes: list[Change] = []
        pending = watcher.pending
        for person in list(pending):
            if len(changes) >= self._changes:
                break
            told, sees = pending.pop(person), watcher.sees(person)
            if sees != told:
                changes.append(sees)
        return changes

    def _enqueue(self, watcher: Watcher, now: int) -> None:
        if not watcher.queued:
            watcher.queued = True
            at = max(now, watcher.rests_until)
            heappush(self._queue, (at, next(self._serial), watcher))


def distinct(users: Iterable[str]) -> list[str]:
    """Each user once, in the order of their first mention."""
    return list(dict.fromkeys(users))
