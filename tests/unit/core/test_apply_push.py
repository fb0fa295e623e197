from __future__ import annotations

import pytest

from hivewire.core.entries import ForgetEntry
from hivewire.core.view import View
from hivewire.store import pushes
from hivewire.store.verify import verify
from tests.unit.push.node import PushNode, webhook

pytestmark = pytest.mark.unit


def test_a_message_and_its_place_in_the_outbox_are_one_batch() -> None:
    node = PushNode()
    for user in ("ann", "bob"):
        node.register(user)
    line = node.driver.open("ann")
    line.sends("bob")
    node.driver.turn()
    node.driver.store.crash()
    assert node.outbox() == []
    again = PushNode(node.driver.store)
    again.say("ann", "bob", "hi")
    # Nothing for the sender, whatever he has registered.
    (key,) = again.driver.store.columns.outbox.rows
    assert key == pushes.held_key("bob", 1)
    assert pushes.parse_held(again.driver.store.columns.outbox.rows[key])[1:] == (
        "direct:ann,bob",
        1,
    )


def test_a_node_that_does_not_push_puts_nothing_there() -> None:
    node = PushNode()
    node.register("bob")
    node.view.pushes = False
    node.say("ann", "bob", "hi")
    assert node.outbox() == []


def test_the_count_survives_a_trim_and_a_look_from_new() -> None:
    node = PushNode()
    node.register("bob")
    node.register("bob", "desk", webhook("d"))
    assert View(node.driver.store).user("bob").pushed == 2
    node.act(lambda: node.delivery.unregister("bob", "desk"))
    node.durable()
    assert View(node.driver.store).user("bob").pushed == 1
    node.act(lambda: node.delivery.unregister("bob", "phone"))
    node.durable()
    assert View(node.driver.store).user("bob").pushed == 0
    assert verify(node.driver.store).ok


def test_a_user_whose_registration_is_on_its_way_stays_in_memory() -> None:
    node = PushNode()
    node.register("bob")
    state = node.view.user("bob")
    assert state.is_quiet
    node.delivery.unregister("bob", "phone")
    assert not state.is_quiet
    node.act(lambda: None)
    node.durable()
    assert state.is_quiet


def test_a_device_that_is_forgotten_is_pushed_to_no_more() -> None:
    node = PushNode()
    node.register("bob")
    line = node.driver.open("bob")
    line.closed()
    node.driver.settle()
    node.act(lambda: node.delivery.forget(ForgetEntry("bob", "phone")))
    node.durable()
    assert node.view.user("bob").pushed == 0
    assert node.driver.store.columns.devices.rows == {}
