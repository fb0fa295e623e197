from __future__ import annotations

import pytest

from .driver import Driver, Line, bodies, kinds


def with_events(count: int) -> tuple[Driver, Line]:
    """ann's line at cursor 0, with so many events behind it."""
    driver = Driver()
    ann, bob = driver.open("ann", cursor=0), driver.open("bob")
    for _ in range(count):
        bob.sends("ann")
    driver.settle()
    return driver, ann


def cursor(driver: Driver, device: str = "phone") -> int | None:
    return driver.view.cursors.load("ann", device)


def test_a_good_one_without_an_id_is_not_answered() -> None:
    driver, ann = with_events(3)
    ann.says("ack", seq=2, id=None)
    assert driver.turn() == []
    assert (cursor(driver), driver.cursors_wanted) == (2, 1)


def test_with_an_id_it_is_ok_at_once() -> None:
    driver, ann = with_events(1)
    number = ann.says("ack", seq=1)
    assert bodies(driver.turn()) == [{"op": "ok", "id": number}]


def test_I6_it_never_moves_back() -> None:
    driver, ann = with_events(3)
    for seq in (3, 1):
        ann.says("ack", seq=seq)
    assert [answer["op"] for answer in bodies(driver.turn())] == ["ok", "ok"]
    assert (cursor(driver), driver.cursors_wanted) == (3, 1)


def test_I6_beyond_the_head_is_refused_and_moves_nothing() -> None:
    driver, ann = with_events(1)
    ann.says("ack", seq=2, id=None)
    (answer,) = bodies(driver.turn())
    assert (answer["code"], answer["field"], answer["for"]) == ("bad_request", "seq", "ack")
    assert (cursor(driver), driver.cursors_wanted) == (0, 0)


def test_before_connect_it_is_unauthorized() -> None:
    driver = Driver()
    driver.stranger().says("ack", seq=0, id=None)
    (answer,) = bodies(driver.turn())
    assert (answer["code"], answer["for"]) == ("unauthorized", "ack")


class TestReplacedDevice:
    """Acks of an older connection do not count after the newer one's `connected`."""

    def test_I6_in_the_turn_of_that_connected_either(self) -> None:
        driver, older = with_events(3)
        newer = driver.stranger()
        # A known device at its own cursor: `connected` goes out in this very turn.
        newer.says("connect", token=driver.token("ann"), device="phone", cursor=0)
        older.says("ack", seq=3)
        assert [one["op"] for one in bodies(driver.turn())] == ["connected", "ok"]
        assert (cursor(driver), driver.cursors_wanted) == (0, 0)

    def test_I6_while_that_connected_waits_for_the_disk(self) -> None:
        driver, older = with_events(3)
        older.says("ack", seq=2)
        driver.turn()
        newer = driver.stranger()
        newer.says("connect", token=driver.token("ann"), device="phone", cursor=1)
        older.says("ack", seq=3)
        driver.settle()
        assert cursor(driver) == 1

    def test_those_of_the_newer_one_and_of_other_devices_count(self) -> None:
        driver, _ = with_events(3)
        other = driver.open("ann", "tv", cursor=0)
        newer = driver.stranger()
        newer.says("connect", token=driver.token("ann"), device="phone", cursor=0)
        newer.says("ack", seq=2)
        other.says("ack", seq=3)
        driver.turn()
        assert (cursor(driver), cursor(driver, "tv")) == (2, 3)

    @pytest.mark.parametrize("closed", [True, False], ids=["closed", "not closed yet"])
    def test_I6_what_it_had_said_behind_a_sync_does_not_count(self, closed: bool) -> None:
        driver, older = with_events(3)
        newer = driver.stranger()
        newer.says("connect", token=driver.token("ann"), device="phone", cursor=1)
        driver.turn()
        older.sends("bob")
        older.says("sync", after=0)
        older.says("ack", seq=3, id=None)
        driver.turn()
        assert "connected" in kinds(driver.sync())
        if closed:
            older.closed(4505)
        driver.settle()
        assert cursor(driver) == 1


def test_one_that_was_said_right_before_the_end_counts() -> None:
    driver, ann = with_events(3)
    ann.says("ack", seq=3, id=None)
    ann.closed()
    driver.turn()
    assert cursor(driver) == 3
