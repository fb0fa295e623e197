from __future__ import annotations

import pytest

from hivewire.store import keys

from .driver import Driver, bodies
from .watching import after, watching

pytestmark = pytest.mark.unit


def test_away_is_answered_at_once_and_pushed() -> None:
    driver, eve = watching("ann")
    ann = driver.open("ann")
    driver.later(1_000)
    driver.told()
    number = ann.says("status", state="away")
    assert bodies(driver.turn()) == [{"op": "ok", "id": number}]
    assert after(driver, 1_000) == [(eve.conn, "ann", "away", None)]


def test_I1_to_hide_is_durable_before_it_is_answered() -> None:
    driver, eve = watching("ann")
    ann = driver.open("ann")
    driver.later(1_000)
    driver.told()
    hid = driver.clock.ms
    number = ann.says("status", state="invisible")
    assert driver.turn() == []
    assert bodies(driver.sync()) == [{"op": "ok", "id": number}]
    row = driver.store.get(driver.store.columns.marks, keys.seen_key("ann"))
    assert row is not None
    assert keys.parse_seen_value(row) == (hid, True)
    assert after(driver, 1_000) == [(eve.conn, "ann", "offline", hid)]


def test_hiding_again_writes_nothing() -> None:
    driver = Driver()
    ann, tv = driver.open("ann"), driver.open("ann", "tv")
    ann.asks("status", state="invisible")
    tv.says("status", state="invisible")
    assert [body["op"] for body in bodies(driver.turn())] == ["ok"]


def test_said_with_the_last_breath_it_counts() -> None:
    driver, eve = watching("ann")
    ann = driver.open("ann")
    driver.later(1_000)
    driver.told()
    hid = driver.clock.ms
    ann.says("status", state="invisible")
    ann.closed()
    driver.settle()
    assert after(driver, 60_000) == [(eve.conn, "ann", "offline", hid)]


def test_of_a_replaced_line_it_does_not_count() -> None:
    driver, eve = watching("ann")
    older = driver.open("ann", cursor=0)
    driver.later(1_000)
    driver.told()
    newer = driver.stranger()
    newer.says("connect", token=driver.token("ann"), device="phone", cursor=0)
    older.says("status", state="away")
    driver.settle()
    assert after(driver, 5_000) == []
    newer.asks("status", state="away")
    assert after(driver, 5_000) == [(eve.conn, "ann", "away", None)]


def test_an_unknown_state_is_refused() -> None:
    answer = Driver().open("ann").asks("status", state="busy")
    assert (answer["code"], answer["field"]) == ("bad_request", "state")


def test_before_connect_it_is_unauthorized() -> None:
    assert Driver().stranger().asks("status", state="away")["code"] == "unauthorized"
