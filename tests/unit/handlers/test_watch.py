from __future__ import annotations

import pytest

from hivewire.delivery import JSON, MSGPACK

from .driver import Driver, bodies, kinds
from .watching import after, watching

pytestmark = pytest.mark.unit

LINGER = 20_000
JITTERED = LINGER + LINGER // 8
"""The driver's jitter is in the middle."""


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_the_answer_has_each_ones_state(encoding: int) -> None:
    driver = Driver()
    driver.open("ann")
    eve = driver.open("eve", encoding=encoding)
    assert eve.asks("watch", id=7, users=["ann", "bob"]) == {
        "op": "presence",
        "id": 7,
        "changes": [
            {"user": "ann", "state": "online", "last_seen": None},
            {"user": "bob", "state": "offline", "last_seen": None},
        ],
    }


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_changes_come_as_pushes_that_may_be_dropped(encoding: int) -> None:
    driver = Driver()
    eve = driver.open("eve", encoding=encoding)
    eve.asks("watch", users=["ann"])
    driver.open("ann")
    driver.told()
    driver.later(500)
    (push,) = driver.told()
    assert (push.kind, push.conn) == ("volatile", eve.conn)
    assert push.body == {
        "op": "presence",
        "changes": [{"user": "ann", "state": "online", "last_seen": None}],
    }
    assert list(push.body) == ["op", "changes"]


def test_who_connects_in_the_same_turn_is_there() -> None:
    driver = Driver()
    ann, eve = driver.open("ann", cursor=0), driver.open("eve")
    ann.closed()
    driver.settle()
    # A known device at its own cursor: `connected` goes out in this very turn.
    driver.stranger().says("connect", token=driver.token("ann"), device="phone", cursor=0)
    eve.says("watch", users=["ann"])
    (answer,) = [body for body in bodies(driver.settle()) if body["op"] == "presence"]
    assert answer["changes"][0]["state"] == "online"
    assert after(driver, 60_000) == []


def test_offline_is_pushed_after_the_linger_and_kept_over_a_restart() -> None:
    driver, eve = watching("ann")
    ann = driver.open("ann")
    assert after(driver, 1_000) == [(eve.conn, "ann", "online", None)]
    left = driver.clock.ms
    ann.closed()
    driver.turn()
    assert after(driver, LINGER) == []
    assert after(driver, JITTERED) == [(eve.conn, "ann", "offline", left)]
    driver.store.crash()
    again = Driver(driver.store)
    (change,) = again.open("eve").asks("watch", users=["ann"])["changes"]
    assert (change["state"], change["last_seen"]) == ("offline", left)


def test_a_flap_is_not_told() -> None:
    driver, _ = watching("ann")
    ann = driver.open("ann")
    driver.later(1_000)
    driver.told()
    for _ in range(5):
        ann.closed()
        driver.turn()
        assert after(driver, 5_000) == []
        ann = driver.open("ann")
    assert after(driver, 60_000) == []


def test_I2_the_answer_waits_for_what_is_on_its_way() -> None:
    driver = Driver()
    ann, eve = driver.open("ann"), driver.open("eve")
    ann.says("status", state="invisible")
    driver.turn()
    eve.says("watch", users=["ann"])
    eve.says("ping")
    assert driver.turn() == []
    assert kinds(driver.sync()) == ["send", "send", "pong"]


def test_a_line_that_is_gone_watches_nothing() -> None:
    driver = Driver()
    ann, eve = driver.open("ann"), driver.open("eve")
    ann.says("status", state="invisible")
    driver.turn()
    eve.says("watch", users=["ann"])
    driver.turn()
    eve.closed()
    driver.settle()
    watchers = driver.services.presence.watchers
    assert (len(watchers), watchers.pairs) == (0, 0)


def test_it_ends_with_the_line() -> None:
    driver, eve = watching("ann")
    eve.closed()
    driver.turn()
    driver.open("eve", "tv")
    driver.open("ann")
    assert after(driver, 5_000) == []
    assert driver.services.presence.watchers.pairs == 0


def test_a_blocked_user_sees_offline() -> None:
    driver, eve = watching("ann")
    ann = driver.open("ann")
    driver.later(1_000)
    driver.told()
    ann.asks("block", user="eve")
    assert after(driver, 1_000) == [(eve.conn, "ann", "offline", None)]
    assert eve.asks("watch", users=["ann"])["changes"][0]["state"] == "offline"
    ann.asks("unblock", user="eve")
    assert after(driver, 1_000) == [(eve.conn, "ann", "online", None)]


def test_I8_more_than_the_limit_is_too_large() -> None:
    driver, eve = watching("ann", limits={"watch": 2})
    answer = eve.asks("watch", users=["bob", "cat"])
    assert (answer["code"], answer["field"], answer["retryable"]) == ("too_large", "users", False)
    assert eve.asks("watch", users=["bob"])["op"] == "presence"
    assert driver.services.limits["watch"] == 2


@pytest.mark.parametrize("users", [["a,b"], [""], ["a" * 65]])
def test_malformed_users_are_named(users: list[str]) -> None:
    _, eve = watching("ann")
    answer = eve.asks("watch", users=users)
    assert (answer["code"], answer["field"]) == ("bad_request", "users")


def test_before_connect_it_is_unauthorized() -> None:
    assert Driver().stranger().asks("watch", users=["ann"])["code"] == "unauthorized"
