"""The rules for conversations are tested by what they must catch: one wrong record a row.

The records are those of a simulated run, of which the rules found nothing to say.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.chaos import conversations
from tests.chaos.conversations import talks
from tests.chaos.history import (
    Final,
    GroupTold,
    HeadTold,
    History,
    HistoryRead,
    Listed,
    MarkTold,
    ReadDone,
    Record,
    Settled,
    Unread,
)
from tests.sim.world import judge, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R", bound=Record)


@cache
def recorded() -> tuple[Record, ...]:
    """A run that has something for each rule: a group with edits, a channel, marks."""
    for seed in range(2, 400, 2):
        run = simulate(seed)
        known = talks(run.history)
        inhabited = [talk for talk in known.values() if talk.members]
        channels = [talk for talk in inhabited if talk.is_channel]
        groups = [talk for talk in inhabited if talk.conv == "group:g0" and not talk.is_channel]
        reads = [record for record in run.history if isinstance(record, ReadDone)]
        done = all(run.counts[f"done {op}"] for op in ("edit", "recall", "react", "group.add"))
        if channels and groups and reads and done:
            assert judge(run) == []
            return tuple(run.history)
    raise AssertionError("no seed has it all")


def at(history: History, kind: type[R], wanted: Callable[[R], bool] = lambda _: True) -> int:
    """Where the last such record is."""
    return max(
        index for index, record in enumerate(history) if isinstance(record, kind) and wanted(record)
    )


def lose_an_event_of_a_group(history: History) -> None:
    index = at(history, Final, lambda f: any(e.conv == "group:g0" for e in f.events))
    final = history[index]
    assert isinstance(final, Final)
    lost = next(event for event in final.events if event.conv == "group:g0")
    kept = tuple(event for event in final.events if event is not lost)
    for index, record in enumerate(history):
        if isinstance(record, Final) and record.user == final.user:
            history[index] = replace(record, events=kept)


def deliver_to_a_stranger(history: History) -> None:
    talk = talks(history)["group:g0"]
    n = max(talk.events)
    index = at(history, Final, lambda f: f.user in talk.receivers(n))
    final = history[index]
    assert isinstance(final, Final)
    history[index] = replace(final, user="stranger")


def let_a_stranger_read(history: History) -> None:
    index = at(history, HistoryRead, lambda r: r.final and r.conv == "group:g0")
    history[index] = replace(history[index], user="stranger")


def leave_a_gap_in_a_history(history: History) -> None:
    index = at(history, HistoryRead, lambda r: r.final and len(r.events) > 2)
    record = history[index]
    assert isinstance(record, HistoryRead)
    history[index] = replace(record, events=(record.events[0], *record.events[2:]))


def show_an_older_text(history: History) -> None:
    def edited(record: HistoryRead) -> bool:
        return record.final and any(
            e.text.startswith("edited") and e.type == "message" for e in record.events
        )

    index = at(history, HistoryRead, edited)
    record = history[index]
    assert isinstance(record, HistoryRead)
    events = tuple(
        replace(e, text=f"text of {e.key}") if e.type == "message" else e for e in record.events
    )
    history[index] = replace(record, events=events)


def show_a_text_of_before(history: History) -> None:
    """A history that reaches beyond an edit has the message as it was before."""
    talk, target, edits = next(
        (talk, n, edits)
        for talk in talks(history).values()
        for n, (edits, _) in talk.changes.items()
        # What an edit said that was recalled since, nobody knows any more.
        if edits and None not in edits.values()
    )
    events = [talk.events[n] for n in range(target, max(edits) + 1)]
    events[0] = replace(events[0], text="older", recalled=False)
    history.append(HistoryRead(history[-1].at, 1, "user0", "device0", talk.conv, tuple(events)))


def tell_an_older_mark(history: History) -> None:
    index = at(history, MarkTold, lambda m: m.delivered > 1)
    record = history[index]
    assert isinstance(record, MarkTold)
    history.insert(index + 1, replace(record, delivered=record.delivered - 1, read=0))


def forget_a_read(history: History) -> None:
    read = history[at(history, ReadDone, lambda r: _listed(history, r))]
    assert isinstance(read, ReadDone)
    index = at(history, Unread, lambda u: (u.user, u.conv) == (read.user, read.conv))
    history[index] = replace(history[index], read=read.n - 1)


def _listed(history: History, read: ReadDone) -> bool:
    return (
        any(isinstance(r, Unread) and (r.user, r.conv) == (read.user, read.conv) for r in history)
        and read.user in talks(history)[read.conv].members
    )


def omit_a_conversation(history: History) -> None:
    index = at(history, Listed, lambda r: any(conv in talks(history) for conv in r.convs))
    record = history[index]
    assert isinstance(record, Listed)
    kept = [conv for conv in record.convs if conv in talks(history)][1:]
    history[index] = replace(record, convs=tuple(kept))


def omit_a_member(history: History) -> None:
    index = at(history, GroupTold, lambda r: bool(r.members) and r.conv in talks(history))
    record = history[index]
    assert isinstance(record, GroupTold)
    history[index] = replace(record, members=(*record.members[1:], "stranger"))


def tell_no_head(history: History) -> None:
    channel = next(talk for talk in talks(history).values() if talk.is_channel and talk.members)
    settled = history[at(history, Settled, lambda r: r.user in channel.members)]
    for index, record in enumerate(history):
        if isinstance(record, HeadTold) and record.line == settled.line:
            history[index] = replace(record, head=0)


PLANTED: list[tuple[Callable[[History], None], str]] = [
    (lose_an_event_of_a_group, "everybody_has_it"),
    (deliver_to_a_stranger, "only_receivers_have_it"),
    (let_a_stranger_read, "only_members_read"),
    (leave_a_gap_in_a_history, "history_is_whole"),
    (show_an_older_text, "state_is_what_happened"),
    (show_a_text_of_before, "state_is_never_older"),
    (tell_an_older_mark, "marks_rise"),
    (forget_a_read, "reads_stay"),
    (omit_a_conversation, "listings_are_true"),
    (omit_a_member, "group_answers_are_true"),
    (tell_no_head, "heads_arrive"),
]


@pytest.mark.parametrize(("plant", "rule"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_wrong_record_is_caught_by_name(plant: Callable[[History], None], rule: str) -> None:
    history = list(recorded())
    plant(history)
    caught = {one.__name__ for one in conversations.RULES for _ in one(list(history))}
    assert rule in caught


def test_every_rule_catches_something() -> None:
    assert {rule.__name__ for rule in conversations.RULES} == {rule for _, rule in PLANTED}
