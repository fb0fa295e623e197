from __future__ import annotations

import asyncio

import pytest

from hivewire.hooks import App, Message
from tests.unit.hooks.node import HookedDriver

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


class TestWhileAnotherCommandIsWaitedFor:
    """What is acknowledged is written soon, whatever its connection waits for."""

    @pytest.mark.parametrize("op", [{"op": "ack", "seq": 2}, {"op": "sync", "after": 2}])
    async def test_the_application_holds_back_no_ack(self, op: dict[str, int]) -> None:
        app = App()
        word = asyncio.Event()

        @app.on_send
        async def think(message: Message) -> None:
            if message.sender == "ann":
                await word.wait()

        driver = HookedDriver(app)
        ann, bob = driver.open("ann", cursor=0), driver.open("bob")
        for _ in range(2):
            bob.sends("ann")
        await driver.rest()
        ann.sends("bob")
        ann.says(**op)
        told = await driver.rest()
        assert cursor(driver) == 2
        assert [body["op"] for body in bodies(told)] == (["ok"] if op["op"] == "ack" else [])
        word.set()
        answers = [body["op"] for body in bodies(await driver.rest())]
        assert answers == (["sent"] if op["op"] == "ack" else ["sent", "page"])

    def test_nor_does_a_page_that_is_not_read(self) -> None:
        driver, ann = with_events(3)
        ann.says("sync", after=0)
        ann.sends("bob")
        driver.turn()
        ann.says("ack", seq=3, id=None)
        driver.turn()
        assert cursor(driver) == 3

    def test_I6_behind_its_connect_it_waits(self) -> None:
        driver, _ = with_events(3)
        newer = driver.stranger()
        newer.says("connect", token=driver.token("ann"), device="phone", cursor=1)
        newer.says("ack", seq=2, id=None)
        driver.turn()
        newer.says("ack", seq=3, id=None)
        driver.turn()
        assert cursor(driver) == 1
        driver.settle()
        assert cursor(driver) == 3

    def test_I6_a_sync_beyond_the_head_moves_nothing_before_it_is_refused(self) -> None:
        driver, ann = with_events(3)
        ann.sends("bob")
        ann.says("sync", after=1)
        ann.says("sync", after=9)
        driver.turn()
        assert cursor(driver) == 1
        codes = [body.get("code") for body in bodies(driver.settle())]
        assert codes == [None, None, "bad_request"]
