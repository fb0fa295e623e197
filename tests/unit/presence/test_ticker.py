"""Presence on a loop: timers, the journal, pushes. The parts are the node's own."""

from __future__ import annotations

import pytest

from hivewire.core.seen import load_seen
from hivewire.presence.presence import TURN_MS
from hivewire.presence.ticker import PARTED_A_STEP
from hivewire.store import keys
from hivewire.store.journal import GROUP_ENTRIES
from tests.unit.handlers.driver import Driver
from tests.unit.handlers.watching import after, watching

pytestmark = pytest.mark.unit

LINGER = 20_000


def timers(driver: Driver) -> list[int]:
    """When those go off that wait, in ms from now."""
    waiting = [timer for timer in driver.timers.waiting if not timer.cancelled]
    return [round(timer.at - driver.clock.ms) for timer in waiting]


def test_an_idle_node_has_no_timer() -> None:
    driver, _ = watching("ann", "bob")
    driver.open("ann")
    driver.later(1_000)
    assert timers(driver) == []


def test_there_is_one_timer_and_it_is_that_of_what_is_due_first() -> None:
    driver, _ = watching("ann")
    driver.open("bob").closed()
    driver.turn()
    assert timers(driver) == [LINGER + LINGER // 8]
    ann = driver.open("ann")
    assert timers(driver) == [500]
    ann.says("status", state="away")
    driver.turn()
    assert timers(driver) == [500]
    driver.later(500)
    assert timers(driver) == [LINGER + LINGER // 8 - 500]


def test_what_is_pushed_is_counted() -> None:
    driver, _ = watching("ann", "bob")
    driver.open("ann")
    driver.open("bob")
    driver.later(1_000)
    assert driver.metrics.presence_changes == 2


def test_turns_are_so_far_apart_at_least() -> None:
    driver, _ = watching("ann")
    driver.ticker.wake(0)
    assert timers(driver) == [TURN_MS]


def test_I8_those_who_leave_together_are_written_in_portions() -> None:
    driver = Driver()
    lines = [driver.open(f"u{number}") for number in range(500)]
    for line in lines:
        line.closed()
    driver.turn()
    before = driver.journal.commits
    driver.later(LINGER * 2)
    # One group for each turn of 200.
    assert driver.journal.commits - before == 3
    assert None not in load_seen(driver.store, [f"u{number}" for number in range(500)])
    assert len(driver.services.presence.people) == 0
    assert timers(driver) == []


def test_while_the_journal_is_full_it_tries_again() -> None:
    driver, eve = watching("ann", limits={"commit_queue": 1})
    ann = driver.open("ann")
    driver.later(1_000)
    driver.told()
    ann.closed()
    eve.sends("bob")
    eve.sends("bob")
    driver.turn()
    eve.sends("bob")
    driver.turn()
    assert driver.journal.is_full
    driver.clock.ms += 2 * LINGER
    timer = driver.timers.next(driver.clock.ms)
    assert timer is not None
    timer.call()
    assert timers(driver) == [TURN_MS]
    driver.settle()
    assert [state for _, _, state, _ in after(driver, 1_000)] == ["offline"]


def test_I2_offline_is_told_when_the_disk_has_it() -> None:
    driver, eve = watching("ann")
    driver.open("ann").closed()
    driver.turn()
    driver.later(1_000)
    driver.clock.ms += 2 * LINGER
    timer = driver.timers.next(driver.clock.ms)
    assert timer is not None
    timer.call()
    assert timers(driver) == []
    assert eve.asks("watch", users=["bob"])["op"] == "presence"
    assert timers(driver) == [TURN_MS], "the answer has waited for the disk too"


def test_stopped_it_sets_no_timer() -> None:
    driver, _ = watching("ann")
    driver.open("ann")
    driver.ticker.stop()
    assert timers(driver) == []
    driver.open("ann", "tv")
    driver.ticker.wake(0)
    assert timers(driver) == []


def test_at_the_end_of_the_node_everybody_was_there_until_then() -> None:
    driver = Driver()
    users = [f"u{number}" for number in range(PARTED_A_STEP + GROUP_ENTRIES + 1)]
    for user in users:
        driver.open(user)
    steps = 0
    for _ in driver.ticker.part(users, 77):
        steps += 1
        assert driver.journal.waiting <= PARTED_A_STEP, "a step waits for the one before"
        while driver.committer.step():
            pass
    assert steps == 2
    driver.store.crash()
    rows = driver.store.multi_get(driver.store.columns.marks, [keys.seen_key(u) for u in users])
    assert set(rows) == {keys.seen_value(77, hidden=False)}
    assert driver.journal.is_idle
