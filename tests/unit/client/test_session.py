"""The client's side of I5 and I7: never twice, in order, nothing missed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.client.objects import Sent
from hivewire.client.session import MAX_QUEUED, Loss, Session

pytestmark = pytest.mark.unit


def event(seq: int, **more: Any) -> dict[str, Any]:
    body = {"type": "message", "conv": "direct:a,b", "n": seq, "from": "b", "ts": 1, "text": "x"}
    return {"seq": seq, **body, **more}


def page(first: int, last: int, *, head: int, trimmed_before: int = 1) -> dict[str, Any]:
    events = [event(seq) for seq in range(first, last + 1)]
    done = last == head
    fields = {"next": last, "head": head, "done": done, "trimmed_before": trimmed_before}
    return {"op": "page", "events": events, **fields}


def connected(cursor: int, head: int, **more: Any) -> dict[str, Any]:
    fields = {"user": "a", "epoch": "e1", "new_device": False, "reset": False}
    return {"op": "connected", "cursor": cursor, "head": head, **fields, **more}


def sent(seq: int, *, dup: bool = False) -> Sent:
    return Sent(conv="direct:a,b", n=seq, seq=seq, ts=1, dup=dup, key="k" * 8)


def drain(session: Session) -> list[int]:
    taken: list[int] = []
    while (found := session.take()) is not None:
        taken.append(found.seq)
    return taken


def live_session(at: int = 0) -> Session:
    session = Session("phone")
    session.on_connected(connected(at, at))
    return session


def test_without_a_cursor_the_server_decides_where_to_go_on() -> None:
    session = Session("phone")
    assert session.connect_fields() == {"device": "phone", "sync": 100}
    session.on_connected(connected(7, 7))
    assert (session.live, session.seen, session.consumed) == (True, 7, 7)
    assert session.connect_fields()["cursor"] == 7
    assert session.connect_fields()["epoch"] == "e1"


def test_a_cursor_and_its_epoch_are_told() -> None:
    fields = Session("phone", 5, "e1").connect_fields()
    assert (fields["cursor"], fields["epoch"]) == (5, "e1")


def test_live_events_come_once_and_in_order() -> None:
    session = live_session()
    for seq in (1, 2, 2, 1, 3):
        session.on_event(event(seq))
    assert session.live
    assert drain(session) == [1, 2, 3]


def test_a_hole_is_filled_by_a_page() -> None:
    session = live_session()
    session.on_event(event(1))
    session.on_event(event(3))
    assert not session.live
    assert not session.wants_page, "the application has not taken what is there"
    assert drain(session) == [1]
    assert session.wants_page
    session.on_page(page(2, 3, head=3))
    session.on_event(event(4))
    assert drain(session) == [2, 3, 4]
    assert session.live


def test_pages_are_asked_for_one_by_one() -> None:
    session = Session("phone", 0)
    session.on_connected(connected(0, 5, page=page(1, 2, head=5)))
    assert not session.wants_page
    assert drain(session) == [1, 2]
    assert session.wants_page
    session.syncing = True
    assert not session.wants_page
    session.on_page(page(3, 5, head=5))
    assert session.live
    assert drain(session) == [3, 4, 5]
    assert not session.wants_page


def test_an_empty_page_is_not_the_end() -> None:
    session = Session("phone", 0)
    empty = {"events": [], "next": 0, "head": 5, "done": False, "trimmed_before": 1}
    session.on_connected(connected(0, 5, page=empty))
    assert not session.live
    assert session.wants_page


def test_only_what_was_consumed_counts_after_a_reconnect() -> None:
    session = live_session()
    for seq in (1, 2, 3):
        session.on_event(event(seq))
    assert session.take().seq == 1  # type: ignore[union-attr]
    assert session.take().seq == 2  # type: ignore[union-attr]
    assert session.consumed == 1, "2 is in the application's hands"
    session.on_offline()
    assert session.connect_fields()["cursor"] == 1
    session.on_connected(connected(1, 4, page=page(2, 4, head=4)))
    assert session.live
    assert drain(session) == [3, 4], "2 is not shown twice"


def test_a_page_that_ends_behind_what_is_queued_does_not_go_live() -> None:
    session = live_session()
    for seq in range(1, 6):
        session.on_event(event(seq))
    session.on_offline()
    session.on_connected(connected(0, 9, page=page(1, 3, head=9)))
    assert not session.live
    assert drain(session) == [1, 2, 3, 4, 5]
    assert session.wants_page


def test_an_own_send_fills_its_place() -> None:
    session = live_session()
    session.on_sent(sent(1), {"op": "send", "id": 4, "to": "user:b", "key": "k" * 8, "text": "hi"})
    own = session.take()
    assert own is not None
    assert (own.seq, own.sender, own.text, own.key) == (1, "a", "hi", "k" * 8)
    assert own.body.keys().isdisjoint({"op", "id", "to"})


def test_a_duplicate_answer_shows_nothing() -> None:
    session = live_session(5)
    session.on_sent(sent(3, dup=True), {"text": "hi"})
    assert drain(session) == []
    assert session.live


def test_a_send_while_catching_up_comes_with_its_page() -> None:
    session = Session("phone", 0)
    session.on_connected(connected(0, 1))
    session.on_sent(sent(2), {"text": "hi"})
    assert drain(session) == []
    session.on_page(page(1, 2, head=2))
    assert drain(session) == [1, 2]


def test_a_head_beyond_what_was_seen_shows_a_lost_event() -> None:
    session = live_session(3)
    session.on_head(3)
    assert session.live
    session.on_head(4)
    assert session.wants_page


def test_i8_the_queue_is_bounded() -> None:
    session = live_session()
    for seq in range(1, MAX_QUEUED + 50):
        session.on_event(event(seq))
    taken = drain(session)
    assert len(taken) == MAX_QUEUED
    assert session.wants_page
    session.on_page(page(MAX_QUEUED + 1, MAX_QUEUED + 49, head=MAX_QUEUED + 49))
    assert drain(session)[-1] == MAX_QUEUED + 49
    assert session.live


def test_a_reset_starts_again() -> None:
    session = live_session(5)
    session.on_event(event(6))
    answer = connected(0, 2, reset=True, epoch="e2", page=page(1, 2, head=2))
    assert session.on_connected(answer) is Loss.RESET
    assert session.epoch == "e2"
    assert drain(session) == [1, 2]


def test_trimmed_events_are_told() -> None:
    session = Session("phone", 0)
    session.on_connected(connected(0, 9))
    assert session.on_page(page(5, 9, head=9, trimmed_before=5)) is Loss.TRIMMED
    assert drain(session) == [5, 6, 7, 8, 9]
    assert session.live


def test_a_new_device_may_begin_at_the_start() -> None:
    nothing = {"events": [], "next": 9, "head": 9, "done": True, "trimmed_before": 1}
    answer = connected(9, 9, new_device=True, page=nothing)
    session = Session("phone", from_start=True)
    session.on_connected(answer)
    assert (session.live, session.seen) == (False, 0)
    assert session.wants_page
    now = Session("phone")
    now.on_connected(answer)
    assert (now.live, now.seen) == (True, 9)


@given(st.lists(st.integers(1, 6), max_size=40), st.data())
def test_i7_whatever_is_lost_or_repeated_everything_comes_once(
    pushes: list[int], data: st.DataObject
) -> None:
    """A server that loses and repeats pushes at will, an application that takes when it likes."""
    session, shown, head = live_session(), list[int](), 0
    for step in pushes:
        head += 1
        for seq in range(max(1, head - step), head + 1):
            if data.draw(st.booleans()):
                session.on_event(event(seq))
        if data.draw(st.booleans()):
            shown += drain(session)
        if session.wants_page:
            last = data.draw(st.integers(session.seen, head))
            session.on_page(page(session.seen + 1, last, head=head))
    shown += drain(session)
    session.on_head(head)
    if session.wants_page:
        session.on_page(page(session.seen + 1, head, head=head))
    assert shown + drain(session) == list(range(1, head + 1))


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (
            {"op": "send", "to": "group:g", "text": "x", "reply_to": 3, "media": ["m1"]},
            {"type": "message", "text": "x", "reply_to": 3, "media": ["m1"]},
        ),
        ({"op": "edit", "conv": "c", "n": 4, "text": "y"}, {"type": "edit", "text": "y"}),
        ({"op": "recall", "conv": "c", "n": 4}, {"type": "recall"}),
        (
            {"op": "react", "conv": "c", "n": 4, "emoji": "+", "on": False},
            {"type": "reaction", "emoji": "+", "on": False},
        ),
    ],
)
def test_each_change_fills_its_place_with_the_event_it_made(
    command: dict[str, Any], wanted: dict[str, Any]
) -> None:
    session = live_session()
    session.on_sent(sent(1), {**command, "key": "k" * 8})
    event = session.take()
    assert event is not None
    place = {"seq": 1, "conv": "direct:a,b", "n": 1, "from": "a", "ts": 1, "key": "k" * 8}
    assert event.body == wanted | place | ({"target": 4} if "n" in command else {})
    assert event.target == (4 if "n" in command else None)


def durable_session(at: int = 0) -> Session:
    session = Session("phone", durable=True)
    session.on_connected(connected(at, at))
    return session


def test_what_is_not_in_the_store_yet_counts_for_nobody_else() -> None:
    session = durable_session()
    for seq in (1, 2, 3):
        session.on_event(event(seq))
    assert drain(session) == [1, 2, 3]
    assert (session.consumed, session.safe) == (3, 0)
    session.on_offline()
    assert session.connect_fields()["cursor"] == 0
    assert not session.wants_page, "a page would acknowledge what may still be lost"
    session.on_safe(2, "e0")
    assert session.safe == 0, "that was other data"
    session.on_safe(3, "e1")
    assert (session.safe, session.wants_page) == (3, True)


def test_what_is_in_hand_is_known() -> None:
    session = live_session()
    session.on_event(event(1))
    assert not session.in_hand
    session.take()
    assert session.in_hand
    session.take()
    assert not session.in_hand


def test_a_store_that_is_empty_begins_at_the_start_whatever_the_server_says() -> None:
    """The first `connected`, which said `new_device`, may have been lost."""
    session = Session("phone", from_start=True, durable=True)
    assert session.connect_fields()["cursor"] == 0
    session.on_connected(connected(0, 5))
    assert (session.live, session.seen, session.safe) == (False, 0, 0)


def test_where_an_earlier_run_stopped_is_where_this_one_goes_on() -> None:
    session = Session("phone", durable=True)
    session.restore(7, "e1", "a")
    fields = session.connect_fields()
    assert (fields["cursor"], fields["epoch"], session.user) == (7, "e1", "a")
    session.on_connected(connected(7, 7))
    assert (session.live, session.safe) == (True, 7)
