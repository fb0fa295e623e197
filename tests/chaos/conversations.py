"""The judge of groups, channels, histories and marks: rules beside those of `checker`.

They put each conversation together again from what its members read, play its membership events in
order of `n`, and hold everything that anybody saw against that.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.chaos.history import (
    Final,
    GroupTold,
    HeadTold,
    History,
    HistoryRead,
    Listed,
    MarkTold,
    Page,
    Push,
    ReadDone,
    Settled,
    Unread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.history import Event

NOBODY: frozenset[str] = frozenset()


class Talk:
    """One conversation, all of it that anybody could read in the end."""

    def __init__(self, conv: str) -> None:
        self.conv = conv
        self.events: dict[int, Event] = {}
        self.head = 0
        self.history = "all"
        self.since: dict[str, int] = {}
        """Of each member in the end: the `n` of his newest joining; 0: from the beginning."""
        self.channel_from: int | None = 1 if conv.startswith("channel:") else None
        self.changes: dict[int, tuple[dict[int, str | None], int | None]] = {}
        """By `n` of a message: its edits, by their own `n`, and the `n` of its recall. What an
        edit said is gone (None) if it was recalled before anybody wrote it down."""
        self._before: dict[int, frozenset[str]] = {}
        self._after: dict[int, frozenset[str]] = {}

    @property
    def is_channel(self) -> bool:
        return self.channel_from is not None

    @property
    def members(self) -> frozenset[str]:
        """In the end."""
        return self.members_at(self.head)

    def members_at(self, n: int) -> frozenset[str]:
        return self._after.get(n, NOBODY)

    def ever(self) -> frozenset[str]:
        return NOBODY.union(*self._after.values()) if self._after else NOBODY

    def replay(self) -> None:
        """Play what changed who is in it."""
        now = frozenset(self.conv.removeprefix("direct:").split(","))
        if not self.conv.startswith("direct:"):
            now = NOBODY
        for n in sorted(self.events):
            event = self.events[n]
            self._before[n] = now
            if event.type == "membership":
                for change in changes_of(event):
                    now = self._changed(now, change, n)
            elif event.type == "conversation":
                row = json.loads(event.about)
                self.history = row["history"]
                if row["kind"] == "channel" and self.channel_from is None:
                    self.channel_from = n
            elif event.type in ("edit", "recall"):
                self._note_change(event)
            self._after[n] = now
            self.head = n

    def _note_change(self, event: Event) -> None:
        target = json.loads(event.about)["target"]
        edits, recall = self.changes.get(target, ({}, None))
        if event.type == "recall":
            recall = event.n
        else:
            edits[event.n] = None if event.recalled else event.text
        self.changes[target] = edits, recall

    def _changed(self, now: frozenset[str], change: dict[str, Any], n: int) -> frozenset[str]:
        user, what = change["user"], change["change"]
        if what == "added":
            self.since[user] = 0 if n <= 2 else n
            return now | {user}
        return now - {user} if what in ("removed", "left") else now

    def receivers(self, n: int) -> frozenset[str]:
        """Whose timelines have event `n`."""
        event = self.events[n]
        # Who is added with the making of it gets the making too.
        around = (
            self._before[n] | self._after[n] | (self._after.get(2, NOBODY) if n == 1 else NOBODY)
        )
        if self.channel_from is None or n < self.channel_from or event.type == "conversation":
            return around
        if event.type == "membership":
            return frozenset(change["user"] for change in changes_of(event))
        return NOBODY


def changes_of(event: Event) -> list[dict[str, Any]]:
    return list(json.loads(event.about)["changes"])


_last: tuple[History, int, dict[str, Talk]] | None = None


def talks(history: History) -> dict[str, Talk]:
    """All conversations that are known as a whole; the rules ask for them one after the other."""
    global _last  # noqa: PLW0603 - the same for all rules of one run
    if _last is not None and _last[0] is history and _last[1] == len(history):
        return _last[2]
    found: dict[str, Talk] = {}
    for record in history:
        if isinstance(record, (Final, HistoryRead)):
            for event in record.events:
                talk = found.get(event.conv)
                if talk is None:
                    talk = found[event.conv] = Talk(event.conv)
                talk.events.setdefault(event.n, event)
    for talk in found.values():
        talk.replay()
    # Of a channel that nobody may read from its beginning there is nothing to be sure of.
    whole = {conv: talk for conv, talk in found.items() if len(talk.events) == talk.head}
    _last = history, len(history), whole
    return whole


# -- who has what ---------------------------------------------------------------------------------


def everybody_has_it(history: History) -> Iterator[str]:
    """An event of a conversation is in the timeline of everybody who was in it, in the end."""
    have = {
        final.user: {(event.conv, event.n) for event in final.events}
        for final in history
        if isinstance(final, Final) and final.trimmed_before == 1
    }
    for conv, talk in talks(history).items():
        for n in talk.events:
            for user in talk.receivers(n):
                if user in have and (conv, n) not in have[user]:
                    yield f"{user} has no {talk.events[n]}"


def only_receivers_have_it(history: History) -> Iterator[str]:
    """And in nobody else's: not before the joining, not after the leaving."""
    known = talks(history)
    for record in history:
        events = (record.event,) if isinstance(record, Push) else ()
        if isinstance(record, (Page, Final)):
            events = record.events
        for event in events:
            talk = known.get(event.conv)
            inside = talk is not None and event.n in talk.events
            if inside and talk is not None and record.user not in talk.receivers(event.n):
                yield f"{record.user} has {event}"


def only_members_read(history: History) -> Iterator[str]:
    """A history is for members; with `joined` it shows what came after the newest joining."""
    known = talks(history)
    for record in history:
        if not isinstance(record, HistoryRead) or record.conv not in known:
            continue
        talk = known[record.conv]
        readers = talk.members if record.final else talk.ever()
        if record.user not in readers:
            yield f"{record.user} read {record.conv}"
        elif record.final and talk.history == "joined":
            early = [e.n for e in record.events if e.n <= talk.since.get(record.user, 0)]
            if early:
                yield f"{record.user} read {early} of {record.conv}, joined later"


# -- histories ------------------------------------------------------------------------------------


def history_is_whole(history: History) -> Iterator[str]:
    """A history is in order of `n` and without gaps; in the end it goes to the head."""
    known = talks(history)
    for record in history:
        if not isinstance(record, HistoryRead):
            continue
        have = [event.n for event in record.events]
        if have != list(range(have[0], have[0] + len(have)) if have else ()):
            yield f"{record.user} read {have} of {record.conv}"
        talk = known.get(record.conv)
        if record.final and talk is not None:
            hidden = talk.since.get(record.user, 0) if talk.history == "joined" else 0
            if have != list(range(hidden + 1, talk.head + 1)):
                yield f"{record.user} read {have} of {record.conv}, there are {talk.head}"


def state_is_what_happened(history: History) -> Iterator[str]:
    """A message in a history has the text of its last edit, is gone if recalled, has the reactions

    that were left on it.
    """
    known = talks(history)
    folded: dict[tuple[str, int], tuple[str | None, bool, str]] = {}
    for conv, talk in known.items():
        for n, state in fold(talk).items():
            folded[conv, n] = state
    for record in history:
        if not isinstance(record, HistoryRead) or not record.final:
            continue
        for event in record.events:
            if event.type != "message" or (event.conv, event.n) not in folded:
                continue
            text, gone, reactions = folded[event.conv, event.n]
            if event.recalled != gone:
                yield f"{record.user} read {event}, recalled is {gone}"
            elif not gone and (text not in (None, event.text) or event.about != reactions):
                yield f"{record.user} read {event}, it should say {text!r} {reactions}"


def state_is_never_older(history: History) -> Iterator[str]:
    """A history that has an edit or a recall shows the message as it is since then, or newer."""
    known = talks(history)
    for record in history:
        talk = known.get(record.conv) if isinstance(record, HistoryRead) else None
        if talk is None or not isinstance(record, HistoryRead) or not record.events:
            continue
        last = max(record.head, record.events[-1].n)
        for event in record.events:
            if event.type != "message":
                continue
            edits, recall = talk.changes.get(event.n, ({}, None))
            before = max((n for n in edits if n <= last), default=None)
            wanted = {text for n, text in edits.items() if n >= (before or 0)}
            if recall is not None and recall <= last and not event.recalled:
                yield f"{record.user} read {event} at {last}, recalled at {recall}"
            elif before is not None and not event.recalled and not wanted & {event.text, None}:
                yield f"{record.user} read {event} at {last}, edited at {before}"


def fold(talk: Talk) -> dict[int, tuple[str | None, bool, str]]:
    """By `n` of each message: text (None: never edited), whether recalled, reactions as JSON."""
    texts: dict[int, str | None] = {}
    gone: set[int] = set()
    reactions: dict[int, dict[str, set[str]]] = defaultdict(dict)
    for n in sorted(talk.events):
        event = talk.events[n]
        if event.type == "message":
            texts[n] = None
        if event.type not in ("edit", "recall", "reaction"):
            continue
        about = json.loads(event.about)
        target = about["target"]
        if event.type == "edit" and not event.recalled:
            texts[target] = event.text
        elif event.type == "recall":
            gone.add(target)
        elif event.type == "reaction":
            users = reactions[target].setdefault(about["emoji"], set())
            (users.add if about["on"] else users.discard)(event.sender)
    return {n: (text, n in gone, _reactions(reactions[n])) for n, text in texts.items()}


def _reactions(by_emoji: dict[str, set[str]]) -> str:
    left = {emoji: sorted(users) for emoji, users in by_emoji.items() if users}
    return json.dumps(left, sort_keys=True) if left else ""


# -- marks ----------------------------------------------------------------------------------------


def marks_rise(history: History) -> Iterator[str]:
    """What a device is told of somebody's marks never goes back, and what is read is delivered."""
    told: dict[tuple[str, str, str, str], MarkTold] = {}
    for record in history:
        if not isinstance(record, MarkTold):
            continue
        name = (record.user, record.device, record.conv, record.member)
        before = told.get(name, record)
        if record.delivered < before.delivered or record.read < before.read:
            yield f"{record} after {before}"
        if record.read > record.delivered:
            yield f"{record} has read what was not delivered"
        told[name] = record


def reads_stay(history: History) -> Iterator[str]:
    """I1: a `read` that was answered counts for ever, whatever was killed."""
    known = talks(history)
    final = {(record.user, record.conv): record for record in history if isinstance(record, Unread)}
    for record in history:
        if isinstance(record, ReadDone):
            now = final.get((record.user, record.conv))
            inside = record.conv in known and record.user in known[record.conv].members
            if inside and now is not None and now.read < record.n:
                yield f"{record}, now the mark is {now.read}"


# -- what is told of conversations ----------------------------------------------------------------


def listings_are_true(history: History) -> Iterator[str]:
    """`conversations` has all that the user is in, and nothing else."""
    known = talks(history)
    for record in history:
        if isinstance(record, Listed):
            mine = {conv for conv, talk in known.items() if record.user in talk.members}
            told = {conv for conv in record.convs if conv in known}
            if told != mine:
                yield f"{record.user} is told {sorted(told)}, is in {sorted(mine)}"


def group_answers_are_true(history: History) -> Iterator[str]:
    """`group` tells the members as they were at the head that it tells."""
    known = talks(history)
    for record in history:
        if not isinstance(record, GroupTold) or not record.members:
            continue
        talk = known.get(record.conv)
        if talk is None or record.head > talk.head:
            continue
        if talk.members_at(record.head) != frozenset(record.members):
            wanted = sorted(talk.members_at(record.head))
            yield f"{record}, at {record.head} there were {wanted}"


def heads_arrive(history: History) -> Iterator[str]:
    """In the end each live line of a member has heard of the newest head of each channel."""
    known = talks(history)
    heard: dict[tuple[int, str], int] = defaultdict(int)
    for record in history:
        if isinstance(record, HeadTold):
            name = (record.line, record.conv)
            heard[name] = max(heard[name], record.head)
        elif isinstance(record, Settled):
            for conv, talk in known.items():
                if talk.is_channel and record.user in talk.members:
                    head = heard[record.line, conv]
                    if head != talk.head:
                        yield f"line {record.line} of {record.user} heard {head} of {talk.head}"


RULES: tuple[Callable[[History], Iterator[str]], ...] = (
    everybody_has_it,
    only_receivers_have_it,
    only_members_read,
    history_is_whole,
    state_is_what_happened,
    state_is_never_older,
    marks_rise,
    reads_stay,
    listings_are_true,
    group_answers_are_true,
    heads_arrive,
)
