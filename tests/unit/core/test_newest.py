from __future__ import annotations

import pytest

from hivewire.core.newest import NOTHING, Newest, Place
from tests.unit.core.driver import Driver

pytestmark = pytest.mark.unit
CONV = "direct:ann,bob"


def test_the_newest_event_is_read_once_and_then_followed() -> None:
    driver = Driver()
    driver.sent("ann", "user:bob")
    first = driver.view.newest[CONV]
    entry = driver.sent("bob", "user:ann")
    assert first.head == 1
    assert driver.view.newest[CONV] == Place(2, entry.ts) == Newest(driver.store)[CONV]


def test_i2_what_is_not_durable_is_not_the_newest() -> None:
    driver = Driver()
    driver.sent("ann", "user:bob")
    assert driver.view.newest[CONV].head == 1
    driver.send("bob", "user:ann")
    assert driver.view.newest[CONV].head == 1
    driver.settle()
    assert driver.view.newest[CONV].head == 2


def test_a_conversation_without_events_is_kept_nowhere() -> None:
    driver = Driver()
    assert driver.view.newest[CONV] is NOTHING
    assert not driver.view.newest


def test_what_was_never_listed_takes_no_memory() -> None:
    driver = Driver()
    driver.sent("ann", "user:bob")
    assert not driver.view.newest


def test_i8_the_oldest_make_room() -> None:
    driver = Driver()
    newest = Newest(driver.store, bound=2)
    for other in ("bob", "cid", "dan"):
        driver.sent("ann", f"user:{other}")
        assert newest[f"direct:ann,{other}"].head == 1
    assert list(newest) == ["direct:ann,cid", "direct:ann,dan"]
