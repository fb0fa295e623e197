from __future__ import annotations

import pytest

from hivewire.delivery import JSON, MSGPACK
from tests.unit.handlers.driver import NOW_S, Driver, bodies


def test_connect_comes_first() -> None:
    assert Driver().stranger().asks("keys.get", user="ann")["code"] == "unauthorized"


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_anybody_gets_the_keys_of_all_devices(encoding: int) -> None:
    driver = Driver()
    for device in ("tab", "phone"):
        driver.open("ann", device).asks("keys.put", keys={"of": device})
    answer = driver.open("bob", encoding=encoding).asks("keys.get", user="ann")
    answer.pop("id")
    assert answer == {
        "op": "keys",
        "user": "ann",
        "devices": [
            {"device": "phone", "keys": {"of": "phone"}, "ts": NOW_S * 1000},
            {"device": "tab", "keys": {"of": "tab"}, "ts": NOW_S * 1000},
        ],
    }


def test_of_nobody_there_are_none() -> None:
    assert Driver().open("ann").asks("keys.get", user="zoe")["devices"] == []


def test_I2_nothing_is_shown_that_could_still_be_lost() -> None:
    driver = Driver()
    ann, bob = driver.open("ann"), driver.open("bob")
    ann.says("keys.put", keys={"a": 1})
    driver.turn()
    bob.says("keys.get", user="ann")
    assert driver.turn() == []
    assert [body["op"] for body in bodies(driver.settle())][-1] == "keys"
