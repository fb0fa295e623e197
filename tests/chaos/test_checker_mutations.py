"""The checker is tested by what it must catch: one planted bug a row, in an otherwise perfect
history.

The second half plants the same bugs into a running node (see mutants.py) and expects the same
verdicts from recorded runs.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.chaos.checker import RULES, assert_did_enough, check
from tests.chaos.history import (
    Ack,
    Answer,
    Connected,
    Crash,
    Event,
    Final,
    History,
    Invoke,
    Page,
    Push,
    Record,
    Settled,
    Unread,
)
from tests.chaos.perfect import good_history

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R", bound=Record)
type_mutation = "Callable[[History], None]"


@pytest.mark.parametrize("seed", range(20))
def test_a_perfect_history_is_clean(seed: int) -> None:
    assert check(good_history(seed)) == []


def indices(history: History, kind: type[R]) -> list[tuple[int, R]]:
    return [(at, record) for at, record in enumerate(history) if isinstance(record, kind)]


def lose_answered(history: History) -> None:
    """An answer before the sync, then the crash: the message is nowhere, all later ones move up."""
    crash, _ = indices(history, Crash)[0]
    victim = [answer for at, answer in indices(history, Answer) if at < crash][-1]
    for at, final in indices(history, Final):
        kept = [event for event in final.events if event.key != victim.key]
        moved = [
            replace(event, seq=seq, n=event.n - (event.conv == victim.conv and event.n > victim.n))
            for seq, event in enumerate(kept, 1)
        ]
        history[at] = replace(final, events=tuple(moved))


def forget_keys_at_restart(history: History) -> None:
    """The keys were forgotten: the resend of a stored message stores it again."""
    at, resent = next((at, answer) for at, answer in indices(history, Answer) if answer.dup)
    finals = indices(history, Final)
    mine = next(final for _, final in finals if final.user == resent.user)
    seq = len(mine.events) + 1
    n = max(event.n for event in mine.events if event.conv == resent.conv) + 1
    history[at] = replace(resent, dup=False, seq=seq, n=n)
    for index, final in finals:
        origin = [event for event in final.events if event.key == resent.key]
        more = [replace(event, seq=len(final.events) + 1, n=n) for event in origin]
        history[index] = replace(final, events=(*final.events, *more))


def gap_between_replay_and_live(history: History) -> None:
    """An event committed while the last page was on its way is neither in it nor pushed."""
    for at, page in indices(history, Page):
        if page.done and page.events:
            later = [push for _, push in indices(history[at:], Push) if push.line == page.line]
            if later:
                history[at] = replace(page, events=page.events[:-1], next=page.next - 1)
                return
    raise AssertionError("no page before live pushes")


def double_fan_out(history: History) -> None:
    """The connection that sent gets the event too."""
    at, answer = next((at, answer) for at, answer in indices(history, Answer) if not answer.dup)
    invoke = next(invoke for _, invoke in indices(history, Invoke) if invoke.key == answer.key)
    event = Event(answer.seq, answer.conv, answer.n, answer.user, answer.key, invoke.text)
    history.insert(at + 1, Push(answer.at + 1, answer.line, answer.user, answer.device, event))


def push_twice(history: History) -> None:
    at, push = indices(history, Push)[3]
    history.insert(at + 1, replace(push, at=push.at + 1))


def skip_a_push(history: History) -> None:
    pushes = indices(history, Push)
    at, push = next(
        (at, push) for at, push in pushes if any(p.line == push.line for i, p in pushes if i > at)
    )
    del history[at]
    assert push not in history


def reuse_seq_after_crash(history: History) -> None:
    """The head was read too low at the restart: a number that was seen is given again."""
    crash, _ = indices(history, Crash)[0]
    seen = {
        push.event.seq for at, push in indices(history, Push) if push.user == "bob" and at < crash
    }
    reused = max(seen)
    for at, final in indices(history, Final):
        if final.user == "bob":
            events = [
                e if e.seq != reused else replace(final.events[-1], seq=reused)
                for e in final.events
            ]
            history[at] = replace(final, events=tuple(events[:-1]))


def reuse_n_after_crash(history: History) -> None:
    at, answer = indices(history, Answer)[-1]
    history[at] = replace(answer, n=answer.n - 1)


def cursor_outside_the_batch(history: History) -> None:
    """The cursor was written on its own, and was lost: an ack of long ago does not count."""
    _, ack = next((at, ack) for at, ack in indices(history, Ack) if ack.seq > 1)
    at = len(history) - 1
    last = history[at]
    line = 999
    early = Connected(
        last.at + 1, line, ack.user, ack.device, None, 0, 0, 1, new_device=False, reset=False
    )
    history.append(early)


def cursor_beyond_acks(history: History) -> None:
    """The cursor moved with the pushes, not with the acks."""
    last = history[-1]
    final = next(final for _, final in indices(history, Final) if final.user == "cat")
    head = len(final.events) + 5
    history.append(
        Connected(last.at, 999, "cat", "phone", None, head, head, 1, new_device=False, reset=False)
    )


def silent_reset(history: History) -> None:
    at, connected = next((at, c) for at, c in indices(history, Connected) if c.given is not None)
    history[at] = replace(connected, cursor=connected.head)


def needless_reset(history: History) -> None:
    at, connected = indices(history, Connected)[-1]
    history[at] = replace(connected, reset=True, cursor=0)


def swap_own_sends(history: History) -> None:
    """Two sends of one device to one conversation changed places."""
    lanes: dict[tuple[str, str, str], Invoke] = {}
    for _, invoke in indices(history, Invoke):
        first = lanes.setdefault((invoke.user, invoke.device, invoke.conv), invoke)
        if first.key != invoke.key:
            _swap(history, first.key, invoke.key)
            return
    raise AssertionError("no two sends in a lane")


def _swap(history: History, one: str, other: str) -> None:
    swapped = {one: other, other: one}

    def change(event: Event) -> Event:
        key = swapped.get(event.key, event.key)
        return replace(event, key=key, text=f"text of {key}")

    for at, record in enumerate(history):
        if isinstance(record, (Page, Final)):
            history[at] = replace(record, events=tuple(map(change, record.events)))
        elif isinstance(record, Push):
            history[at] = replace(record, event=change(record.event))


def other_order_on_a_device(history: History) -> None:
    at, final = indices(history, Final)[0]
    first, second, *rest = final.events
    events = (replace(second, seq=1), replace(first, seq=2), *rest)
    history[at] = replace(final, events=events)


def answers_overtake(history: History) -> None:
    """The later send of a line is answered first."""
    at, invoke = indices(history, Invoke)[-1]
    later = replace(invoke, key="key-late", at=invoke.at + 1)
    history.insert(at + 1, later)
    answer_at, answer = next((i, a) for i, a in indices(history, Answer) if a.key == invoke.key)
    history.insert(answer_at, replace(answer, key="key-late", dup=True))


def past_message_gets_a_late_place(history: History) -> None:
    """A message sent after another was answered stands before it."""
    answers = [answer for _, answer in indices(history, Answer) if not answer.dup]
    for one in answers:
        for other in answers:
            if one.conv == other.conv and one.at < other.at:
                _swap(history, one.key, other.key)
                return
    raise AssertionError("no two answers in a conversation")


def invent_a_message(history: History) -> None:
    at, push = indices(history, Push)[0]
    history[at] = replace(push, event=replace(push.event, text="nobody wrote this"))


def deliver_before_the_send(history: History) -> None:
    at, push = indices(history, Push)[0]
    del history[at]
    history.insert(4, replace(push, at=history[4].at))


def deliver_to_a_stranger(history: History) -> None:
    at, push = next((at, p) for at, p in indices(history, Push) if "cat" not in p.event.conv)
    history.insert(at, replace(push, line=998, user="cat"))


def miscount_unread(history: History) -> None:
    at, unread = indices(history, Unread)[0]
    history[at] = replace(unread, unread=unread.unread + 1)


def converge_late(history: History) -> None:
    at, final = indices(history, Final)[-1]
    history[at] = replace(final, at=final.at + 31_000_000_000)


def live_line_stands_still(history: History) -> None:
    at, settled = indices(history, Settled)[0]
    history[at] = replace(settled, position=settled.position - 1)


def leave_a_send_open(history: History) -> None:
    _, answer = indices(history, Answer)[-1]
    for at, other in reversed(indices(history, Answer)):
        if other.key == answer.key:
            del history[at]


def lose_a_tail_seen_by_a_peer(history: History) -> None:
    """Delivered before the sync: only the receiver saw it, and after the crash it is gone."""
    crash, _ = indices(history, Crash)[0]
    push = [p for at, p in indices(history, Push) if at < crash and p.user == "bob"][-1]
    for at, record in list(enumerate(history)):
        if isinstance(record, (Invoke, Answer)) and record.key == push.event.key and at < crash:
            del history[at]
            break
    for at, final in indices(history, Final):
        kept = [event for event in final.events if event.key != push.event.key]
        history[at] = replace(final, events=tuple(kept))


def hole_in_a_conversation(history: History) -> None:
    for at, final in indices(history, Final):
        last = {event.conv: event.n for event in final.events}
        events = [replace(e, n=e.n + (e.n == last[e.conv])) for e in final.events]
        history[at] = replace(final, events=tuple(events))


PLANTED = [
    (lose_answered, {"answered_is_durable"}),
    (lose_a_tail_seen_by_a_peer, {"seen_stays"}),
    (forget_keys_at_restart, {"one_key_one_message"}),
    (gap_between_replay_and_live, {"no_hole"}),
    (skip_a_push, {"no_hole"}),
    (double_fan_out, {"seq_rises"}),
    (push_twice, {"seq_rises"}),
    (reuse_seq_after_crash, {"one_place_per_message", "seen_stays"}),
    (reuse_n_after_crash, {"one_place_per_message"}),
    (hole_in_a_conversation, {"no_hole"}),
    (cursor_outside_the_batch, {"cursors_keep"}),
    (cursor_beyond_acks, {"cursors_keep"}),
    (silent_reset, {"resets_are_told"}),
    (needless_reset, {"resets_are_told"}),
    (swap_own_sends, {"own_order_kept"}),
    (answers_overtake, {"own_order_kept"}),
    (past_message_gets_a_late_place, {"real_time_order"}),
    (other_order_on_a_device, {"same_on_all_devices"}),
    (invent_a_message, {"nothing_invented"}),
    (deliver_before_the_send, {"nothing_invented"}),
    (deliver_to_a_stranger, {"only_members_receive"}),
    (miscount_unread, {"unread_is_countable"}),
    (converge_late, {"converges"}),
    (live_line_stands_still, {"converges"}),
    (leave_a_send_open, {"converges"}),
]


@pytest.mark.parametrize(("plant", "rules"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_bug_is_caught_by_name(
    plant: Callable[[History], None], rules: set[str], seed: int
) -> None:
    history = good_history(seed)
    plant(history)
    caught = {violation.rule for violation in check(history)}
    assert rules <= caught, f"caught only {caught}"


def test_every_rule_catches_something() -> None:
    assert {rule.__name__ for rule in RULES} == set().union(*(rules for _, rules in PLANTED))


def test_a_run_that_did_little_fails() -> None:
    history = good_history()
    assert_did_enough(history, answered=20, crashes=1)
    with pytest.raises(AssertionError, match="answered"):
        assert_did_enough(history, answered=1000)
    with pytest.raises(AssertionError, match="crashes"):
        assert_did_enough(history, answered=20, crashes=2)
    idle = [replace(r, in_flight=0) if isinstance(r, Crash) else r for r in history]
    with pytest.raises(AssertionError, match="in flight"):
        assert_did_enough(idle, answered=20, crashes=1)


def test_the_same_seed_gives_the_same_history() -> None:
    seed = random.Random().randrange(1000)
    assert good_history(seed) == good_history(seed)
