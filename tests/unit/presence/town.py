"""A node's presence on virtual time: lines come and go, watchers note what they are told.

The engine is a dict of who is connected; what is to be written is durable when `later` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.config import load
from hivewire.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivewire.core.entries import PresenceEntry
    from hivewire.presence import Change

EPOCH = 1_800_000_000_000
"""`ts` at time 0."""


class Town:
    """Presence with its surroundings. `now` is milliseconds since the test began."""

    def __init__(self, jitter: float = 0.0, watch: int = 500, **presence: Any) -> None:
        settings = load(presence=presence, limits={"watch": watch})
        self.now = 0
        self.lines: dict[str, dict[str, int]] = {}
        """By user and device: the connection."""
        self.stored: dict[str, int | None] = {}
        self.blocks: set[tuple[str, str]] = set()
        self.written: list[PresenceEntry] = []
        self.pushes: list[tuple[int, int, list[Change]]] = []
        """(when, connection, changes) of every push."""
        self.told: dict[int, dict[str, Change]] = {}
        """By connection: how it was told that each user is, the last time."""
        self.wakes: list[int] = []
        self.turns = 0
        self.conns = 0
        self.presence = Presence(
            settings,
            devices=lambda user: list(self.lines.get(user, ())),
            last_seen=self._load,
            is_blocked=lambda by, who: (by, who) in self.blocks,
            jitter=lambda: jitter,
            wake=self.wakes.append,
        )

    def _load(self, users: Sequence[str]) -> list[int | None]:
        return [self.stored.get(user) for user in users]

    @property
    def ts(self) -> int:
        return EPOCH + self.now

    def connect(self, user: str, device: str = "phone") -> int:
        """A line of a device, that replaces an older one; returns the connection."""
        self.conns += 1
        devices = self.lines.setdefault(user, {})
        older = devices.get(device)
        devices[device] = self.conns
        self.presence.connected(user, device, self.now)
        if older is not None:
            self._forget(older)
        return self.conns

    def cut(self, user: str, device: str = "phone") -> None:
        conn = self.lines[user].pop(device)
        self.presence.disconnected(user, device, self.now, self.ts)
        self._forget(conn)

    def _forget(self, conn: int) -> None:
        self.presence.closed(conn, self.now)
        self.told.pop(conn, None)

    def says(self, user: str, state: str, device: str = "phone") -> None:
        entry = self.presence.plan_status(user, state, self.ts)
        since = self.ts
        if entry is not None:
            self._write([entry])
            since = entry.last_seen
        self.presence.set_status(user, device, state, since, self.now)

    def watch(self, conn: int, *users: str, watcher: str = "eve") -> dict[str, Any]:
        """What the answer says of each: state and last_seen."""
        answer = self.presence.watch(conn, watcher, 0, users, self.now)
        assert isinstance(answer, list), answer
        self.told.setdefault(conn, {}).update({change.user: change for change in answer})
        return {change.user: (change.state, change.last_seen) for change in answer}

    def unwatch(self, conn: int, *users: str) -> None:
        self.presence.unwatch(conn, users)
        for user in users:
            self.told.get(conn, {}).pop(user, None)

    def block(self, by: str, who: str, *, on: bool = True) -> None:
        (self.blocks.add if on else self.blocks.discard)((by, who))
        self.presence.block_changed(by, who, self.now, blocked=on)

    def later(self, ms: int) -> list[tuple[int, int, list[Change]]]:
        """Let time pass, with turns when they are due; returns what was pushed meanwhile."""
        before, until = len(self.pushes), self.now + ms
        while (due := self.presence.due) is not None and max(due, self.now) <= until:
            self.now = max(due, self.now)
            self.turn()
            # As the ticker: turns are so far apart.
            if self.now < until:
                self.now = min(until, self.now + 20)
            elif self.presence.due is not None and self.presence.due <= self.now:
                break
        self.now = until
        return self.pushes[before:]

    def turn(self) -> None:
        self.turns += 1
        turn = self.presence.turn(self.now)
        self._write(turn.entries)
        self.presence.released(turn.entries, self.now)
        for watcher, changes in turn.batches:
            self.pushes.append((self.now, watcher.conn, changes))
            told = self.told[watcher.conn]
            for change in changes:
                assert change != told[change.user], "told what it knows already"
                told[change.user] = change

    def _write(self, entries: list[PresenceEntry]) -> None:
        self.written += entries
        self.stored.update({entry.user: entry.last_seen or None for entry in entries})


def states(pushes: list[tuple[int, int, list[Change]]]) -> list[tuple[str, str]]:
    """Who became what, in order, whoever was told."""
    return [(change.user, change.state) for _, _, changes in pushes for change in changes]
