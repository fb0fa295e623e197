"""From one `Presence` to the next in the same process: what nobody else knows.

In plain values, so that the next one may be of a newer version. Times of the clock that only goes
forward stay true, because it is the same clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import astuple

from hivewire.presence.person import Change, Gone

if TYPE_CHECKING:
    from hivewire.presence.person import Person, Watcher
    from hivewire.presence.presence import Presence

Row = tuple[Any, ...]


class Standing(NamedTuple):
    """How everybody is, and who watches."""

    people: list[Row]
    """user, statuses, lingering, hidden_ms, left_ms, last_seen, shown, whether to look again"""
    watchers: list[Row]
    """conn, user, encoding, watched, those who block it, told, asked, asked_at, rests_until"""


def hand_over(presence: Presence) -> Standing:
    """What `take_over` needs. Nothing of it may be on its way to the disk."""
    people = [_person(person) for person in presence.people.everybody()]
    return Standing(people, [_watcher(watcher) for watcher in presence.watchers.everybody()])


def take_over(presence: Presence, standing: Standing, now: int) -> None:
    """Make a new `Presence` what the old one was."""
    people, watchers = presence.people, presence.watchers
    for user, statuses, lingering, hidden_ms, left_ms, last_seen, shown, _ in standing.people:
        person = people.keep(user)
        person.statuses = None if statuses is None else dict(statuses)
        person.lingering = tuple(Gone(*gone) for gone in lingering)
        person.hidden_ms, person.left_ms, person.last_seen = hidden_ms, left_ms, last_seen
        person.shown = Change(*shown)
        people.rearm(person)
    for (
        conn,
        user,
        encoding,
        watched,
        blocked_by,
        told,
        asked,
        asked_at,
        rests,
    ) in standing.watchers:
        watcher = watchers.keep(conn, user, encoding)
        watcher.asked, watcher.asked_at, watcher.rests_until = asked, asked_at, rests
        for name in watched:
            watchers.add(watcher, people.keep(name), blocked=name in blocked_by)
        for change in told:
            watchers.owe(watcher, people.keep(change[0]), Change(*change), now)
    for row in standing.people:
        person = people.find(row[0])
        if person is not None and row[-1]:
            presence.look_again(person, now)
        elif person is not None:
            people.forget_idle(person)


def _person(person: Person) -> Row:
    shown = person.shown
    return (
        person.user,
        person.statuses,
        [astuple(gone) for gone in person.lingering],
        person.hidden_ms,
        person.left_ms,
        person.last_seen,
        (shown.user, shown.state, shown.last_seen),
        person.dirty or person.hidden_ms is not None,
    )


def _watcher(watcher: Watcher) -> Row:
    return (
        watcher.conn,
        watcher.user,
        watcher.encoding,
        [person.user for person in watcher.people],
        {person.user for person in watcher.blocked_by},
        [(told.user, told.state, told.last_seen) for told in watcher.pending.values()],
        watcher.asked,
        watcher.asked_at,
        watcher.rests_until,
    )
