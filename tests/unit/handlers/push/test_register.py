from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.core.entries import Rejection
from hivewire.store import pushes
from tests.unit.handlers.driver import Driver, bodies
from tests.unit.push.node import webhook

if TYPE_CHECKING:
    from hivewire.core.commands import PushRegister
    from hivewire.store.pushes import Registration

pytestmark = pytest.mark.unit
HOOK = {"kind": "webhook", "endpoint": "mobile", "token": "t"}


class Everybody:
    """Takes the endpoint `mobile`."""

    offer, offer_json = {"webhooks": ["mobile"]}, b'{"webhooks":["mobile"]}'

    def registration(self, command: PushRegister, _now_ms: int) -> Registration | Rejection:
        known = command.endpoint == "mobile"
        return webhook(command.token or "") if known else Rejection("forbidden", "no", "endpoint")

    def parted(self, user: str) -> None: ...


@pytest.fixture
def driver() -> Driver:
    made = Driver(push={"devices": 2})
    made.services.push = Everybody()  # type: ignore[assignment]
    return made


def test_ok_comes_when_it_is_durable(driver: Driver) -> None:
    line = driver.open("ann")
    line.says("push.register", **HOOK)
    assert driver.turn() == []
    assert driver.store.columns.devices.rows != {}
    (told,) = driver.sync()
    assert told.body["op"] == "ok"
    assert list(driver.store.columns.devices.rows) == [pushes.registration_key("ann", "phone")]


@pytest.mark.parametrize("encoding", [0, 1])
def test_connected_tells_what_there_is(driver: Driver, encoding: int) -> None:
    line = driver.stranger(encoding)
    answer = line.asks("connect", token=driver.token("ann"), device="phone")
    assert answer["push"] == {"webhooks": ["mobile"]}


def test_what_may_not_be_is_refused(driver: Driver) -> None:
    line = driver.open("ann")
    refused = line.asks("push.register", **HOOK | {"endpoint": "other"})
    assert (refused["code"], refused["field"]) == ("forbidden", "endpoint")
    for device in ("desk", "tablet"):
        assert driver.open("ann", device).asks("push.register", **HOOK)["op"] == "ok"
    assert line.asks("push.register", **HOOK)["code"] == "too_large"


def test_who_has_not_connected_is_refused(driver: Driver) -> None:
    driver.stranger().says("push.register", **HOOK)
    assert [body["code"] for body in bodies(driver.turn())] == ["unauthorized"]


def test_a_node_that_does_not_push_says_so() -> None:
    driver = Driver()
    line = driver.open("ann")
    assert line.asks("push.register", **HOOK)["code"] == "unsupported"


def test_I2_what_fills_the_room_is_durable_before_that_is_told(driver: Driver) -> None:
    lines = [driver.open("ann", device) for device in ("phone", "desk", "tablet")]
    assert lines[0].asks("push.register", **HOOK)["op"] == "ok"
    for line in lines[1:]:
        line.says("push.register", **HOOK)
    assert driver.turn() == []
    assert [body["op"] for body in bodies(driver.sync())] == ["ok", "error"]
