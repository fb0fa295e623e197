from __future__ import annotations

from hivewire.delivery import MSGPACK

from .driver import Driver


def test_the_engine_is_asked_for_the_pong_because_it_knows_the_head() -> None:
    driver = Driver()
    ann = driver.open("ann", encoding=MSGPACK)
    number = ann.says("ping")
    ann.says("ping", id=None)
    told = driver.turn()
    assert [(one.kind, one.conn, one.id) for one in told] == [
        ("pong", ann.conn, number), ("pong", ann.conn, 0),
    ]  # fmt: skip


def test_it_is_answered_before_connect_too() -> None:
    driver = Driver()
    driver.stranger().says("ping")
    assert [one.kind for one in driver.turn()] == ["pong"]


def test_a_pong_needs_no_answer() -> None:
    driver = Driver()
    driver.open("ann").says("pong")
    assert driver.turn() == []
