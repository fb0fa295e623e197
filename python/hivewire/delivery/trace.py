"""What happened to the newest messages, step by step: the memory behind `why`.

A group of the journal costs one record, a message one tuple in it; marks and cursors are kept as
the lists that were written anyway. So this costs less than a hundredth of a message, and is on.

How far each device was reached is not noted here. The record has the number under which the group
was submitted to the engine, and the engine tells of that number, when somebody asks, what it knows
of each shard's turns and of slow lines.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from hivewire.core.entries import CursorEntry, DeviceEntry, MarkEntry, SendEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hivewire.core.entries import ForgetEntry
    from hivewire.delivery.owed import Owed
    from hivewire.store.journal import Commit

WEIGHT: Final = 20_000
"""Messages, their members, marks and cursors that are remembered: a few MiB."""


class Message(NamedTuple):
    """A message in a group."""

    conv: str
    n: int
    user: str
    device: str
    accepted_ms: int
    members: tuple[tuple[str, int], ...]
    """Each with the place in his timeline."""


_Fields = tuple[str, int, str, str, int, tuple[tuple[str, int], ...]]
"""A `Message` that nobody has asked for: a plain tuple is made in a third of the time."""


class Record(NamedTuple):
    """A group that is durable and was shown; times in milliseconds since the Unix epoch."""

    received: float
    """When the first of its commands came in."""
    begun: float
    written: float
    synced: float
    queued: float
    """When answers and events were given to the engine."""
    messages: list[_Fields]
    marks: Sequence[MarkEntry]
    cursors: Sequence[CursorEntry | DeviceEntry | ForgetEntry]
    number: int
    """Of the submission to the engine."""
    submitted_ns: int
    """`queued` by the monotonic clock."""

    def wall_ms(self, monotonic_ns: int) -> float:
        """A time of the engine, by the clock of the others; in their order, whatever was set."""
        return self.queued + (monotonic_ns - self.submitted_ns) / 1e6


Row = tuple[
    int,
    tuple[float, float, float, float, float],
    list[_Fields],
    list[tuple[str, str, int, int]],
    list[tuple[str, str, int, int, bool]],
    tuple[int, int],
]
"""A record as another `Trace` gets it: weight, times, messages, marks (user, conv, delivered,
read), cursors (user, device, cursor, since, whether the device said where it is), number and
`submitted_ns`."""


class Followed(NamedTuple):
    """A message as far as it is remembered."""

    message: Message
    record: Record
    delivered: dict[str, float]
    """By user: when his delivered mark was durable."""
    read: dict[str, float]
    acked: dict[tuple[str, str], float]
    """By user and device: when its cursor was past the message, and durable."""
    begun: set[tuple[str, str]]
    """Devices that connected for the first time after it, and begin behind it."""


class Trace:
    """The newest groups. Loop thread only."""

    def __init__(self, weight: int = WEIGHT) -> None:
        self._most = weight
        self._weight = 0
        self._records: deque[tuple[int, Record]] = deque()
        self._synced_ns = 0
        self._seconds = (0.0, 0.0)
        """Of the newest commit: when, by the monotonic clock; how long it wrote and synced."""

    def committed(self, commit: Commit) -> None:
        """A group was synced; `released` follows."""
        self._synced_ns = commit.synced_ns
        self._seconds = commit.write_seconds, commit.sync_seconds

    def released(self, owed: Owed) -> None:
        """That group was shown just now."""
        messages = [
            (entry.conv, entry.n, entry.user, entry.device, entry.ts, entry.members)
            for entry in owed.entries
            if type(entry) is SendEntry
        ]
        if not (messages or owed.marks or owed.cursors):
            return
        submitted, (writing, syncing) = owed.submitted_ns, self._seconds
        # One offset for all: they stay in their order, however the wall clock moves meanwhile.
        offset = time.time_ns() - time.monotonic_ns()
        synced, queued = (self._synced_ns + offset) / 1e6, (submitted + offset) / 1e6
        written = synced - syncing * 1000
        begun = written - writing * 1000
        arrived = min((one[0] for one in owed.arrived), default=None)
        received = begun if arrived is None else (arrived + offset) / 1e6
        times = received, begun, written, synced, queued
        # Its timeline entries are the members of its messages, and of what else it changed.
        weight = 1 + len(messages) + owed.events + len(owed.marks) + len(owed.cursors)
        kept = messages, owed.marks, owed.cursors
        self._keep(Record(*times, *kept, owed.number, submitted), weight)

    def _keep(self, record: Record, weight: int) -> None:
        self._records.append((weight, record))
        self._weight += weight
        while self._weight > self._most and len(self._records) > 1:
            self._weight -= self._records.popleft()[0]

    def hand_over(self) -> list[Row]:
        """All that is remembered, in a form that does not depend on the classes of this version."""
        return [
            (
                weight,
                record[:5],
                record.messages,
                [(mark.user, mark.conv, mark.delivered, mark.read) for mark in record.marks],
                [
                    (one.user, one.device, one.cursor, one.since, isinstance(one, DeviceEntry))
                    for one in record.cursors
                    if isinstance(one, CursorEntry | DeviceEntry)
                ],
                (record.number, record.submitted_ns),
            )
            for weight, record in self._records
        ]

    def take_over(self, rows: Iterable[Row]) -> None:
        """Remember what another one did, before there is anything else to remember."""
        for weight, times, messages, marks, cursors, submitted in rows:
            marked = [MarkEntry(*mark) for mark in marks]
            moved = [
                (DeviceEntry if said else CursorEntry)(user, device, cursor, 0, since)
                for user, device, cursor, since, said in cursors
            ]
            self._keep(Record(*times, messages, marked, moved, *submitted), weight)

    def find(self, conv: str, n: int) -> Followed | None:
        """What became of a message; None if it is forgotten, or no message."""
        found: Followed | None = None
        for _, record in self._records:
            if found is None:
                for message in record.messages:
                    if message[1] == n and message[0] == conv:
                        found = Followed(Message(*message), record, {}, {}, {}, set())
                if found is None:
                    continue
            _follow(found, record)
        return found


def _follow(found: Followed, record: Record) -> None:
    """Note what a group tells of a message before it."""
    message, at = found.message, record.queued
    for mark in record.marks:
        if mark.conv == message.conv:
            if mark.delivered >= message.n:
                found.delivered.setdefault(mark.user, at)
            if mark.read >= message.n:
                found.read.setdefault(mark.user, at)
    for entry in _past(record.cursors, dict(message.members)):
        device = entry.user, entry.device
        if isinstance(entry, DeviceEntry) and entry.since >= entry.cursor:
            if device not in found.acked:
                found.begun.add(device)
        else:
            found.acked.setdefault(device, at)


def _past(
    cursors: Iterable[CursorEntry | DeviceEntry | ForgetEntry], places: dict[str, int]
) -> Iterable[CursorEntry | DeviceEntry]:
    for entry in cursors:
        if isinstance(entry, CursorEntry | DeviceEntry):
            place = places.get(entry.user)
            if place is not None and entry.cursor >= place:
                yield entry
