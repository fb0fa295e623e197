from __future__ import annotations

from .driver import Driver, bodies


def test_messages_come_through_again() -> None:
    driver = Driver()
    ann, bob = driver.open("ann"), driver.open("bob")
    ann.asks("block", user="bob")
    assert ann.asks("unblock", user="bob")["op"] == "ok"
    assert bob.asks("send", to="user:ann", key="key-0001", text="hi")["n"] == 1
    assert not driver.store.columns.members.rows.keys() - {
        key for key in driver.store.columns.members.rows if b"direct:" in key
    }


def test_who_was_not_blocked_stays_so_and_nothing_is_written() -> None:
    driver = Driver()
    ann = driver.open("ann")
    entries = driver.journal.entries
    assert ann.asks("unblock", user="bob")["op"] == "ok"
    assert driver.journal.entries == entries


def test_the_last_word_counts_however_quickly_it_follows() -> None:
    driver = Driver()
    ann, bob = driver.open("ann"), driver.open("bob")
    for op in ("block", "unblock", "block", "unblock"):
        ann.says(op, user="bob")
    driver.settle()
    bob.sends("ann")
    assert bodies(driver.settle())[-1]["op"] == "sent"
    driver.store.crash()
    assert not Driver(driver.store).view.is_blocked("ann", "bob")
