from __future__ import annotations

from typing import Any

import pytest

from hivewire.delivery import JSON, MSGPACK

from .driver import Driver, bodies


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_what_is_granted_is_what_the_engine_gets(encoding: int) -> None:
    driver = Driver()
    ann = driver.open("ann", encoding=encoding)
    number = ann.says("heartbeat", interval_ms=60_000, **{"from": "client"})
    (told,) = driver.turn()
    assert (told.kind, told.conn) == ("heartbeat", ann.conn)
    assert (told.interval_ms, told.timeout_ms, told.from_client) == (60_000, 10_000, True)
    assert told.body == {
        "op": "heartbeat", "id": number, "interval_ms": 60_000, "timeout_ms": 10_000,
        "from": "client",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "interval"),
    [
        ({"interval_ms": 1}, 15_000),
        ({"interval_ms": -1}, 15_000),
        ({"interval_ms": 15_000}, 15_000),
        ({"interval_ms": 300_000}, 300_000),
        ({"interval_ms": 300_001}, 300_000),
        ({"interval_ms": 2**60}, 300_000),
        ({}, 25_000),
        ({"from": "client"}, 25_000),
    ],
)
def test_I8_the_interval_is_clamped_to_15_s_and_5_min(wish: dict[str, Any], interval: int) -> None:
    driver = Driver()
    answer = driver.open("ann").asks("heartbeat", **wish)
    assert answer["interval_ms"] == interval
    assert answer["from"] == wish.get("from", "server")
    (told,) = connect(Driver(), wish)
    assert (told.interval_ms, told.body["heartbeat"]["interval_ms"]) == (interval, interval)


def connect(driver: Driver, wish: dict[str, Any]) -> list[Any]:
    driver.stranger().says("connect", token=driver.token("ann"), device="tv", heartbeat=wish)
    return driver.settle()


def test_a_node_may_have_a_shorter_one_of_its_own() -> None:
    driver = Driver(heartbeat={"interval": "1s", "timeout": "500ms"})
    (told,) = connect(driver, {"from": "client"})
    assert (told.interval_ms, told.timeout_ms, told.from_client) == (1_000, 500, True)


def test_before_connect_it_is_unauthorized() -> None:
    driver = Driver()
    driver.stranger().says("heartbeat")
    assert [body["code"] for body in bodies(driver.turn())] == ["unauthorized"]
