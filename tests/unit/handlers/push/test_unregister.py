from __future__ import annotations

import pytest

from tests.unit.handlers.driver import Driver, bodies
from tests.unit.push.node import PushNode

pytestmark = pytest.mark.unit


def test_the_callers_device_is_forgotten_and_no_other() -> None:
    node = PushNode()
    for device in ("phone", "desk"):
        node.register("ann", device)
    line = node.driver.open("ann", "desk")
    for _ in range(2):
        assert line.asks("push.unregister")["op"] == "ok"
    assert node.view.user("ann").pushed == 1
    (key,) = node.driver.store.columns.devices.rows
    assert key.endswith(b"phone")


def test_who_has_not_connected_is_refused() -> None:
    driver = Driver()
    driver.stranger().says("push.unregister")
    assert [body["code"] for body in bodies(driver.turn())] == ["unauthorized"]
