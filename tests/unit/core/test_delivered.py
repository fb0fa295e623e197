from __future__ import annotations

import pytest

from hivewire.core.delivered import EVENTS_A_STEP, authors_between, note_delivered, note_early
from hivewire.core.entries import CursorEntry, DeviceEntry
from hivewire.core.state import RECENT_EVENTS
from hivewire.store import keys

from .driver import Driver

Told = dict[tuple[str, str], tuple[int, int, frozenset[str]]]


def acked(driver: Driver, user: str, cursor: int, since: int = 0) -> Told:
    """What an ack moves: by conversation and user the marks, and whose messages they cover."""
    note_delivered(CursorEntry(user, "phone", cursor, driver.now, since), driver.view)
    moved = driver.flush_marks()
    driver.settle()
    return {
        (one.mark.conv, one.mark.user): (one.mark.delivered, one.mark.read, one.authors)
        for one in moved
    }


def ack_one_by_one(driver: Driver, last: int) -> None:
    """Ann gets messages and acknowledges each at once."""
    for n in range(1, last + 1):
        driver.send("bob", "user:ann")
        driver.settle()
        moved = driver.ack("ann", n)
        assert isinstance(moved, CursorEntry)
        note_early(moved, driver.view)


def test_an_ack_delivers_the_newest_of_each_conversation_it_covers() -> None:
    driver = Driver()
    for sender in ("bob", "bob", "cat", "ann"):
        driver.sent(sender, "user:ann")
    assert acked(driver, "ann", 3) == {
        ("direct:ann,bob", "ann"): (2, 0, {"bob"}),
        ("direct:ann,cat", "ann"): (1, 0, {"cat"}),
    }


def test_only_what_is_new_counts() -> None:
    driver = Driver()
    for _ in range(3):
        driver.sent("bob", "user:ann")
    driver.sent("cat", "user:ann")
    acked(driver, "ann", 3)
    assert acked(driver, "ann", 4, since=3) == {("direct:ann,cat", "ann"): (1, 0, {"cat"})}
    assert acked(driver, "ann", 2, since=0) == {}


def test_what_one_device_has_acked_is_not_looked_at_again_for_another() -> None:
    driver = Driver()
    for _ in range(RECENT_EVENTS + 5):
        driver.send("bob", "user:ann")
    driver.settle()
    acked(driver, "ann", RECENT_EVENTS + 5)
    driver.store.multi_get = lambda *_: pytest.fail("read again")  # type: ignore[method-assign]
    assert acked(driver, "ann", RECENT_EVENTS, since=0) == {}


def test_marks_of_a_busy_user_move_while_memory_has_what_is_acked() -> None:
    driver = Driver()
    driver.store.multi_get = lambda *_: pytest.fail("read")  # type: ignore[method-assign]
    ack_one_by_one(driver, 3 * RECENT_EVENTS - 1)
    marks = driver.view.marks.load("direct:ann,bob", "ann")
    assert marks.delivered > 2 * RECENT_EVENTS
    (entry,) = driver.view.cursors.flush(lambda *_: None)
    note_delivered(entry, driver.view)
    assert driver.view.marks.load("direct:ann,bob", "ann").delivered == 3 * RECENT_EVENTS - 1


def test_marks_of_one_who_acks_little_wait_for_the_cursor() -> None:
    driver = Driver()
    ack_one_by_one(driver, 9)
    assert not driver.view.marks.dirty


def test_an_ack_that_a_newer_connection_has_voided_moves_no_marks() -> None:
    driver = Driver()
    for _ in range(RECENT_EVENTS):
        driver.send("bob", "user:ann")
    driver.settle()
    driver.connect("ann", cursor=3)
    moved = driver.ack("ann", RECENT_EVENTS)
    assert isinstance(moved, CursorEntry)
    note_early(moved, driver.view)
    assert not driver.view.marks.dirty


def test_a_second_device_that_is_behind_moves_nothing_back() -> None:
    driver = Driver()
    for _ in range(3):
        driver.sent("bob", "user:ann")
    acked(driver, "ann", 3)
    driver.crash()
    assert acked(driver, "ann", 2) == {}
    assert driver.view.marks.load("direct:ann,bob", "ann") == (3, 0)


def test_authors_of_all_that_is_covered_are_told_in_a_group() -> None:
    driver = Driver()
    driver.create("ann", "bob", "cat")
    for sender in ("bob", "cat", "ann"):
        driver.send(sender, "group:g")
    driver.settle()
    told = acked(driver, "cat", 5, since=2)
    assert told == {("group:g", "cat"): (5, 2, {"ann", "bob", "cat"})}


def test_who_has_left_is_delivered_nothing_more() -> None:
    driver = Driver()
    driver.create("ann", "bob")
    driver.leave("bob", "group:g")
    driver.settle()
    assert acked(driver, "bob", 3) == {}


def test_an_ack_beyond_the_durable_head_covers_what_is_durable() -> None:
    driver = Driver()
    driver.sent("bob", "user:ann")
    driver.send("bob", "user:ann")
    assert acked(driver, "ann", 2) == {("direct:ann,bob", "ann"): (1, 0, {"bob"})}


@pytest.mark.parametrize("forget", [False, True])
def test_it_is_the_same_from_memory_and_from_the_store(forget: bool) -> None:
    driver = Driver()
    for number in range(RECENT_EVENTS + 10):
        driver.send(("bob", "cat", "ann")[number % 3], "user:ann")
    driver.settle()
    if forget:
        driver.crash()
    last = RECENT_EVENTS + 10
    assert acked(driver, "ann", last, since=last - 5) == {
        ("direct:ann,ann", "ann"): (24, 0, {"ann"}),
        ("direct:ann,bob", "ann"): (25, 0, {"bob"}),
        ("direct:ann,cat", "ann"): (25, 0, {"cat"}),
    }


def test_I8_of_a_long_way_only_the_end_is_looked_at() -> None:
    driver = Driver()
    driver.send("cat", "user:ann")
    for _ in range(EVENTS_A_STEP):
        driver.send("bob", "user:ann")
    driver.settle()
    told = acked(driver, "ann", EVENTS_A_STEP + 1)
    assert told == {("direct:ann,bob", "ann"): (EVENTS_A_STEP, 0, {"bob"})}


def test_what_was_trimmed_is_not_read() -> None:
    driver = Driver()
    for sender in ("bob", "cat", "cat"):
        driver.sent(sender, "user:ann")
    prefix, columns, batch = keys.prefix("ann"), driver.store.columns, driver.store.batch()
    batch.put(prefix, keys.user_value(3, 0), columns.marks)
    batch.delete_range(prefix, prefix + keys.position(3), columns.timeline)
    driver.store.write(batch)
    driver.store.sync()
    driver.crash()
    assert acked(driver, "ann", 3) == {("direct:ann,cat", "ann"): (2, 0, {"cat"})}


def test_where_a_device_says_it_is_counts_as_an_ack() -> None:
    driver = Driver()
    for _ in range(3):
        driver.sent("bob", "user:ann")
    plan = driver.connect("ann", cursor=2)
    assert isinstance(plan.entry, DeviceEntry)
    driver.settle()
    note_delivered(plan.entry, driver.view)
    assert driver.view.marks.load("direct:ann,bob", "ann") == (2, 0)


def test_a_new_device_at_the_head_has_got_nothing() -> None:
    driver = Driver()
    driver.sent("bob", "user:ann")
    plan = driver.connect("ann")
    driver.settle()
    assert isinstance(plan.entry, DeviceEntry)
    note_delivered(plan.entry, driver.view)
    assert not driver.view.marks.dirty


def test_who_wrote_events_of_a_conversation() -> None:
    driver = Driver()
    for sender, other in (("ann", "bob"), ("bob", "ann"), ("ann", "bob")):
        driver.sent(sender, f"user:{other}")
    conv = "direct:ann,bob"
    assert authors_between(driver.view, conv, 1, 3) == {"ann", "bob"}
    assert authors_between(driver.view, conv, 3, 3) == {"ann"}
    assert authors_between(driver.view, conv, 4, 3) == frozenset()
