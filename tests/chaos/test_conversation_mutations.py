"""The rules about groups, channels, marks and logs are tested by what they must catch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from tests.chaos import conversations, logs
from tests.chaos.history import (
    Answer,
    ChannelEvent,
    Crash,
    Final,
    GroupTold,
    HeadTold,
    HistoryRead,
    Invoke,
    Listed,
    MarkTold,
    Record,
    Refusal,
    Unread,
)
from tests.chaos.perfect_company import CHANNEL, GROUP, good_company
from tests.chaos.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.history import Event, History

R = TypeVar("R", bound=Record)


def test_a_perfect_company_is_clean() -> None:
    assert verdict(good_company()) == []


def found(history: History, kind: type[R], **fields: Any) -> list[tuple[int, R]]:
    return [
        (at, record)
        for at, record in enumerate(history)
        if isinstance(record, kind)
        if all(getattr(record, name) == value for name, value in fields.items())
    ]


def change_events(
    history: History,
    kinds: tuple[type[Record], ...],
    change: Callable[[Event], Event | None],
    **fields: Any,
) -> None:
    """Replace events (None: leave them out) in finals and histories."""
    for kind in kinds:
        for at, record in found(history, kind, **fields):
            kept = [new for event in record.events if (new := change(event))]  # type: ignore[attr-defined]
            history[at] = replace(record, events=tuple(kept))  # type: ignore[call-arg]


def renumbered(event: Event, without: int) -> Event | None:
    """As if the event with `seq` `without` had never been."""
    if event.seq == without:
        return None
    return replace(event, seq=event.seq - (event.seq > without))


# -- conversations --------------------------------------------------------------------------------


def a_member_misses_a_message(history: History) -> None:
    change_events(history, (Final,), lambda event: renumbered(event, 5), user="bob")


def a_removed_member_still_receives(history: History) -> None:
    ((_, read), *_) = found(history, HistoryRead, user="ann", conv=GROUP)
    ((at, final),) = found(history, Final, user="bob")
    more = replace(read.events[-1], seq=len(final.events) + 1)
    history[at] = replace(final, events=(*final.events, more))


def a_stranger_reads_history(history: History) -> None:
    ((_, read), *_) = found(history, HistoryRead, conv=GROUP)
    history.append(replace(read, user="bob"))


def a_gap_in_history(history: History) -> None:
    drop = lambda event: None if event.n == 4 else event  # noqa: E731
    change_events(history, (HistoryRead,), drop, user="cat")


def an_edit_is_forgotten(history: History) -> None:
    old = lambda event: (  # noqa: E731
        replace(event, text="wrong words")
        if event.text == "right words" and event.n == 4
        else event
    )
    change_events(history, (HistoryRead,), old)


def a_reaction_is_forgotten(history: History) -> None:
    bare = lambda event: replace(event, about="") if "+1" in event.about and event.n == 4 else event  # noqa: E731
    change_events(history, (HistoryRead,), bare)


def a_mark_goes_back(history: History) -> None:
    ((_, told), *_) = found(history, MarkTold)
    history.append(replace(told, read=told.read - 1))


def an_answered_read_is_lost(history: History) -> None:
    ((at, unread),) = found(history, Unread, user="ann", conv=GROUP)
    history[at] = replace(unread, read=3, unread=1)


def a_conversation_is_not_listed(history: History) -> None:
    ((at, listed),) = found(history, Listed, user="ann")
    history[at] = replace(listed, convs=listed.convs[1:])


def a_group_tells_a_wrong_member(history: History) -> None:
    at, told = found(history, GroupTold, conv=GROUP)[-1]
    history[at] = replace(told, members=(*told.members, "dan"))


def the_newest_head_never_arrives(history: History) -> None:
    at, _ = found(history, HeadTold, user="ann")[-1]
    del history[at]


# -- logs -----------------------------------------------------------------------------------------


def an_answered_channel_message_is_lost(history: History) -> None:
    """The last one: nobody but its sender could know of it."""
    drop = lambda event: None if event.conv == CHANNEL and event.n == 5 else event  # noqa: E731
    change_events(history, (HistoryRead,), drop)


def a_leaving_is_lost(history: History) -> None:
    ((_, asked),) = found(history, Invoke, op="group.leave")
    stays = lambda event: replace(event, key="another") if event.key == asked.key else event  # noqa: E731
    change_events(history, (HistoryRead, Final), stays)


def a_group_told_of_more_than_there_is(history: History) -> None:
    at, told = found(history, GroupTold, conv=GROUP)[-1]
    history[at] = replace(told, head=told.head + 1)


def overheard_before_it_was_durable(history: History) -> None:
    """Bob heard a message of the channel; after the crash another stands in its place."""
    other = lambda event: (  # noqa: E731
        replace(event, key="after-the-crash") if (event.conv, event.n) == (CHANNEL, 4) else event
    )
    change_events(history, (HistoryRead,), other)


def a_recalled_message_keeps_its_words(history: History) -> None:
    kept = lambda event: replace(event, text="hello") if event.recalled else event  # noqa: E731
    change_events(history, (Final,), kept)


def a_listing_counts_wrong(history: History) -> None:
    history.append(Unread(*last_of(history, "cat"), GROUP, 8, 1, head=10))


def a_cache_shows_an_old_end(history: History) -> None:
    ((_, read), *_) = found(history, HistoryRead, user="cat", conv=GROUP)
    old = replace(read, events=read.events[:-1], head=11, newest=True, final=False)
    history.append(old)


def a_cache_shows_old_words(history: History) -> None:
    ((_, read), *_) = found(history, HistoryRead, user="cat", conv=GROUP)
    before = replace(read.events[3], text="wrong words")
    history.append(replace(read, events=(before,), head=5, final=False))


def refused_and_stored_all_the_same(history: History) -> None:
    ((_, answer), *_) = found(history, Answer)
    history.append(Refusal(*answer_stamp(answer), answer.key, "forbidden"))


def refused_after_a_kill_though_stored(history: History) -> None:
    """Bob's message is stored, the node killed before it says so, and his second try refused."""
    ((at, invoke), *_) = found(history, Invoke, user="bob")
    again = [
        Crash(invoke.at, 0, "", "", "kill", 1),
        replace(invoke, line=7),
        Refusal(invoke.at, 7, "bob", "phone", invoke.key, "forbidden"),
    ]
    history[at + 1 : at + 1] = again


def refused_by_a_removal_that_was_lost(history: History) -> None:
    """Ann hears that her group is not hers: a change that a crash took back had removed her."""
    ((at, invoke), *_) = found(history, Invoke, user="ann", op="edit")
    refused = replace(invoke, key="never-there", op="send")
    refusal = Refusal(*answer_stamp(invoke), "never-there", "forbidden")
    history[at + 1 : at + 1] = [refused, refusal]


def a_channel_event_comes_twice(history: History) -> None:
    at, heard = found(history, ChannelEvent)[0]
    history.insert(at, heard)


def who_is_not_in_it_overhears(history: History) -> None:
    at, heard = found(history, ChannelEvent)[-1]
    history.insert(at + 1, replace(heard, user="cat", line=3))


def answers_change_places(history: History) -> None:
    (first, one), (second, other) = found(history, Answer, user="ann", conv=CHANNEL)[:2]
    history[first], history[second] = other, one


def last_of(history: History, user: str) -> tuple[int, int, str, str]:
    return next(answer_stamp(record) for record in reversed(history) if record.user == user)


def answer_stamp(record: Record) -> tuple[int, int, str, str]:
    return record.at, record.line, record.user, record.device


PLANTED: list[tuple[Callable[[History], None], str]] = [
    (a_member_misses_a_message, "everybody_has_it"),
    (a_removed_member_still_receives, "only_receivers_have_it"),
    (a_stranger_reads_history, "only_members_read"),
    (a_gap_in_history, "history_is_whole"),
    (an_edit_is_forgotten, "state_is_what_happened"),
    (a_reaction_is_forgotten, "state_is_what_happened"),
    (a_mark_goes_back, "marks_rise"),
    (an_answered_read_is_lost, "reads_stay"),
    (a_conversation_is_not_listed, "listings_are_true"),
    (a_group_tells_a_wrong_member, "group_answers_are_true"),
    (the_newest_head_never_arrives, "heads_arrive"),
    (an_answered_channel_message_is_lost, "answered_is_in_the_log"),
    (a_leaving_is_lost, "group_changes_stay"),
    (a_group_told_of_more_than_there_is, "group_changes_stay"),
    (overheard_before_it_was_durable, "log_stays"),
    (a_listing_counts_wrong, "unread_was_countable"),
    (a_cache_shows_an_old_end, "newest_is_new"),
    (a_cache_shows_old_words, "state_is_never_older"),
    (a_recalled_message_keeps_its_words, "recalled_says_nothing"),
    (refused_and_stored_all_the_same, "refused_is_not_there"),
    (refused_after_a_kill_though_stored, "refused_is_not_there"),
    (refused_by_a_removal_that_was_lost, "refused_was_outside"),
    (a_channel_event_comes_twice, "channel_events_rise"),
    (who_is_not_in_it_overhears, "only_members_overhear"),
    (answers_change_places, "answers_rise"),
]


def test_of_two_open_copies_one_may_be_refused_and_the_other_done() -> None:
    """Cat says it twice on a line: before she is in the group, and heard again when she is."""
    history = good_company()
    ((at, said),) = found(history, Invoke, text="bye, bob")
    del history[at]
    ((outside, _),) = found(history, Refusal)
    refusal = Refusal(*answer_stamp(said), said.key, "forbidden")
    history[outside:outside] = [said, said, refusal]
    assert verdict(history) == []


@pytest.mark.parametrize(("plant", "rule"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_bug_is_caught_by_name(plant: Callable[[History], None], rule: str) -> None:
    history = good_company()
    plant(history)
    caught = {violation.rule for violation in verdict(history)}
    assert rule in caught, f"caught only {caught}"


def test_every_rule_catches_something() -> None:
    rules = {rule.__name__ for rule in conversations.RULES + logs.RULES}
    assert rules == {rule for _, rule in PLANTED}
