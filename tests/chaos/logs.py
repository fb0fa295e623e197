"""The judge of logs: what was answered, refused or overheard, held against each conversation's log.

Timelines (`checker`) do not tell of channels, and not of what nobody has a timeline for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.chaos.checker import final_places, name_of
from tests.chaos.conversations import talks
from tests.chaos.history import (
    Answer,
    ChannelEvent,
    Crash,
    Final,
    GroupTold,
    HistoryRead,
    Invoke,
    Listening,
    Page,
    Push,
    Refusal,
    Unread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from tests.chaos.conversations import Talk
    from tests.chaos.history import Event, History, Record


def answered_is_in_the_log(history: History) -> Iterator[str]:
    """I1: what was answered with a place is in the log of its conversation, at that place."""
    known = _readable(history)
    for record in history:
        if isinstance(record, Answer) and record.conv in known:
            event = known[record.conv].events.get(record.n)
            name = (record.user, record.key, record.type)
            if event is None or name_of(event) != name:
                yield f"{record}, in the log there is {event}"


def group_changes_stay(history: History) -> Iterator[str]:
    """I1: an answered change of a group is in its log, and the log is at least as long as told."""
    known, ops = _readable(history), {}
    made: dict[tuple[str, str], str] = {}
    for talk in known.values():
        made |= {(event.sender, event.key): event.conv for event in talk.events.values()}
    for record in history:
        if isinstance(record, Invoke):
            ops[record.user, record.key] = record.op
        elif isinstance(record, GroupTold) and record.conv in known:
            name = (record.user, record.key)
            if record.head > known[record.conv].head:
                yield f"{record}, the log ends at {known[record.conv].head}"
            if ops.get(name) in ("group.create", "group.leave") and name not in made:
                yield f"{record}, nothing in the log came of it"


def log_stays(history: History) -> Iterator[str]:
    """I2: whatever anybody was shown of a conversation is in its log, at the same place."""
    known = _readable(history)
    for record in history:
        for event in _shown(record):
            if event.conv in known:
                now = known[event.conv].events.get(event.n)
                if now is None or name_of(now) != name_of(event):
                    yield f"{record.user} saw {event}, in the log there is {now}"


def recalled_says_nothing(history: History) -> Iterator[str]:
    """Of a recalled message nothing is left but that it was there."""
    for record in history:
        final = record.events if isinstance(record, Final) else ()
        for event in (*_shown(record), *final):
            if event.recalled and event.text:
                yield f"{record.user} was shown {event}"


def newest_is_new(history: History) -> Iterator[str]:
    """After an answer every history shows what was answered: nobody reads an older end.

    Who came (again) after that, and sees only what comes after it, may see nothing.
    """
    came = _newest_joinings(history)
    for record in history:
        if isinstance(record, HistoryRead) and record.newest and record.head:
            last = record.events[-1].n if record.events else 0
            nothing_yet = not record.events and came[record.conv, record.user] >= record.head
            if last < record.head and not nothing_yet:
                yield f"{record.user} read {record.conv} to n={last}, n={record.head} was answered"


def _newest_joinings(history: History) -> defaultdict[tuple[str, str], int]:
    """By conversation and user: the `n` with which the user was added last, as anybody saw it."""
    came: defaultdict[tuple[str, str], int] = defaultdict(int)
    for record in history:
        for event in _shown(record):
            if event.type == "membership":
                for change in json.loads(event.about)["changes"]:
                    if change["change"] == "added":
                        name = (event.conv, change["user"])
                        came[name] = max(came[name], event.n)
    return came


def unread_was_countable(history: History) -> Iterator[str]:
    """While things go on too: what a listing counts is what there was at the head that it tells."""
    known = _readable(history)
    for told in history:
        if not isinstance(told, Unread) or not told.head or told.conv not in known:
            continue
        talk, count = known[told.conv], 0
        for n in range(told.read + 1, told.head + 1):
            event = talk.events.get(n)
            if event is not None and event.type == "message" and event.sender != told.user:
                _, recall = talk.changes.get(n, ({}, None))
                count += recall is None or recall > told.head
        if count != told.unread:
            yield f"{told}: {count} could be counted"


def refused_is_not_there(history: History) -> Iterator[str]:
    """What was refused for good is nowhere: a key that was used is answered as it was used.

    Of two copies of a command that are open at once, one may be refused and the other be done
    later: its sender was taken out of the group and came back in between. No copy outlives a kill.
    """
    place = final_places(history)
    copies: defaultdict[tuple[str, str], int] = defaultdict(int)
    told: set[tuple[str, str]] = set()
    for record in history:
        if isinstance(record, Crash):
            copies.clear()
        elif isinstance(record, Invoke):
            copies[record.user, record.key] += 1
        elif isinstance(record, Refusal):
            name = (record.user, record.key)
            copies[name] -= 1
            if name in place and (name in told or copies[name] <= 0):
                yield f"{record}, and it is at n={place[name]}"
        elif isinstance(record, Answer):
            told.add((record.user, record.key))
        else:
            told.update((event.sender, event.key) for event in _shown(record))


def refused_was_outside(history: History) -> Iterator[str]:
    """I2: who hears that a group is not his was not in it, by the log that stays.

    Not at one place at least of those where the log may have ended when his command was looked at:
    from what anybody had seen before it was said, up to what had been said before it was refused.
    """
    known, ends = _readable(history), defaultdict[str, int](int)
    seen: defaultdict[str, int] = defaultdict(int)
    said: set[tuple[str, str]] = set()
    asked: dict[tuple[int, str], tuple[Invoke, int]] = {}
    for record in history:
        if isinstance(record, Invoke):
            said.add((record.user, record.key))
            asked.setdefault((record.line, record.key), (record, seen[record.conv]))
        elif isinstance(record, Answer):
            seen[record.conv] = max(seen[record.conv], record.n)
        for event in _shown(record):
            seen[event.conv] = max(seen[event.conv], event.n)
        if isinstance(record, Refusal) and record.code == "forbidden":
            invoke, first = asked.get((record.line, record.key), (None, 0))
            if invoke is None or invoke.op not in ("send", "react") or invoke.conv not in known:
                continue
            talk = known[invoke.conv]
            last = ends[talk.conv] = _end_of(talk, said, ends[talk.conv])
            inside = all(record.user in talk.members_at(n) for n in range(first, last + 1))
            # In a direct conversation both are members; there one may be blocked.
            if inside and first <= last and not talk.conv.startswith("direct:"):
                yield f"{record}: in {talk.conv} from n={first} to {last}"


def _end_of(talk: Talk, said: Container[tuple[str, str]], end: int) -> int:
    """How far a log may have gone when nothing else had been said; it had gone to `end`."""
    while (event := talk.events.get(end + 1)) and (event.sender, event.key) in said:
        end += 1
    return end


def channel_events_rise(history: History) -> Iterator[str]:
    """The events of an open channel come in order of `n`, each once, from behind its `open` on."""
    last: dict[tuple[int, str], int | None] = {}
    for record in history:
        if isinstance(record, Listening):
            place = last.get((record.line, record.conv))
            last[record.line, record.conv] = place if record.head and place else record.head
        elif isinstance(record, ChannelEvent):
            event, name = record.event, (record.line, record.event.conv)
            before = last.get(name)
            # Behind a `close`, or before the answer to `open`, events are on their way.
            if before is not None and event.n <= before:
                yield f"line {record.line} of {record.user} at {before} overheard {event}"
            last[name] = event.n if before is not None else None


def only_members_overhear(history: History) -> Iterator[str]:
    """The events of an open channel reach its members and nobody else."""
    known = _readable(history)
    for record in history:
        if isinstance(record, ChannelEvent) and record.event.conv in known:
            talk, n = known[record.event.conv], record.event.n
            if record.user not in talk.members_at(n) | talk.members_at(n - 1):
                yield f"{record.user} overheard {record.event}"


def answers_rise(history: History) -> Iterator[str]:
    """On a line the first answers of a conversation come in order of `n`."""
    last: dict[tuple[int, str], int] = defaultdict(int)
    for record in history:
        if isinstance(record, Answer) and not record.dup:
            name = (record.line, record.conv)
            if record.n <= last[name]:
                yield f"{record} behind n={last[name]}"
            last[name] = record.n


def _readable(history: History) -> dict[str, Talk]:
    """Conversations that somebody could read to their end."""
    return {conv: talk for conv, talk in talks(history).items() if talk.members}


def _shown(record: Record) -> tuple[Event, ...]:
    if isinstance(record, (Push, ChannelEvent)):
        return (record.event,)
    return record.events if isinstance(record, (Page, HistoryRead)) else ()


RULES: tuple[Callable[[History], Iterator[str]], ...] = (
    answered_is_in_the_log,
    group_changes_stay,
    log_stays,
    recalled_says_nothing,
    newest_is_new,
    unread_was_countable,
    refused_is_not_there,
    refused_was_outside,
    channel_events_rise,
    only_members_overhear,
    answers_rise,
)
