from __future__ import annotations

from typing import Any

import pytest

from hivewire.core.limits import DEVICE_KEYS_BYTES
from tests.unit.handlers.driver import Driver, bodies


def listed(driver: Driver, user: str = "ann") -> dict[str, Any]:
    answer = driver.open("reader", "desk").asks("keys.get", user=user)
    return {one["device"]: one["keys"] for one in answer["devices"]}


def test_connect_comes_first() -> None:
    assert Driver().stranger().asks("keys.put", keys={})["code"] == "unauthorized"


def test_I1_ok_comes_when_it_is_durable() -> None:
    driver = Driver()
    ann = driver.open("ann")
    ann.says("keys.put", keys={"a": 1})
    assert driver.turn() == []
    assert bodies(driver.sync())[0]["op"] == "ok"
    driver.store.crash()
    assert listed(Driver(driver.store)) == {"phone": {"a": 1}}


def test_they_replace_what_the_device_had() -> None:
    driver = Driver()
    ann = driver.open("ann")
    for keys in ({"a": 1}, {"b": [2, "é"]}):
        assert ann.asks("keys.put", keys=keys)["op"] == "ok"
    assert listed(driver) == {"phone": {"b": [2, "é"]}}


def test_the_same_again_writes_nothing() -> None:
    driver = Driver()
    ann = driver.open("ann")
    entries = driver.journal.entries
    for _ in range(3):
        assert ann.asks("keys.put", keys={"a": 1})["op"] == "ok"
    assert driver.journal.entries == entries + 1


def test_an_empty_object_takes_them_away_of_any_own_device() -> None:
    driver = Driver()
    phone, tab = driver.open("ann", "phone"), driver.open("ann", "tab")
    for line in (phone, tab):
        line.asks("keys.put", keys={"a": 1})
    assert phone.asks("keys.put", keys={}, device="tab")["op"] == "ok"
    assert listed(driver).keys() == {"phone"}
    assert phone.asks("keys.put", keys={})["op"] == "ok"
    assert phone.asks("keys.put", keys={})["op"] == "ok"
    assert listed(driver) == {}


def test_nobody_puts_keys_of_another_device() -> None:
    answer = Driver().open("ann", "phone").asks("keys.put", keys={"a": 1}, device="tab")
    assert (answer["code"], answer["field"]) == ("forbidden", "device")
    assert Driver().open("ann", "tab").asks("keys.put", keys={"a": 1}, device="tab")["op"] == "ok"


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"k": "x" * DEVICE_KEYS_BYTES}, "too_large"),
        ([], "bad_request"),
        ("text", "bad_request"),
    ],
    ids=["large", "list", "text"],
)
def test_what_is_no_object_or_too_large_is_refused(keys: Any, code: str) -> None:
    answer = Driver().open("ann").asks("keys.put", keys=keys)
    assert (answer["code"], answer["field"]) == (code, "keys")


def test_too_many_devices_are_refused() -> None:
    driver = Driver(limits={"devices": 100})
    answers = [driver.open("ann", f"d{n}").asks("keys.put", keys={"n": n}) for n in range(33)]
    assert [answer["op"] for answer in answers] == ["ok"] * 32 + ["error"]
    assert (answers[-1]["code"], answers[-1]["field"]) == ("too_large", "device")


def test_I2_what_fills_the_room_is_durable_before_that_is_told() -> None:
    driver = Driver(limits={"devices": 100})
    lines = [driver.open("ann", f"d{n}") for n in range(33)]
    for n in range(31):
        lines[n].asks("keys.put", keys={"n": n})
    for line in lines[31:]:
        line.says("keys.put", keys={"n": 0})
    assert driver.turn() == []
    assert [body["op"] for body in bodies(driver.sync())] == ["ok", "error"]
