from __future__ import annotations

import pytest

from hivewire.core.entries import RegisterEntry
from hivewire.core.plan_push import TOO_MANY, plan_register, plan_unregister
from hivewire.store.pushes import Registration
from tests.unit.push.node import PushNode, webhook, webpush

pytestmark = pytest.mark.unit


def test_a_registration_replaces_the_devices_earlier_one() -> None:
    node = PushNode()
    node.register("bob")
    entry = plan_register(webpush(), "bob", "phone", node.view, 1)
    assert isinstance(entry, RegisterEntry)
    assert entry.count == 1


def test_the_same_again_is_nothing_new() -> None:
    node = PushNode()
    node.register("bob")
    later = Registration("webhook", "mobile", 99, token="t")
    assert plan_register(later, "bob", "phone", node.view, 1) is None


def test_too_many_devices_are_refused_by_what_is_planned() -> None:
    node = PushNode()
    entry = plan_register(webhook(), "bob", "phone", node.view, 1)
    assert isinstance(entry, RegisterEntry)
    node.delivery.register(entry)
    assert plan_register(webhook(), "bob", "desk", node.view, 1) is TOO_MANY
    node.delivery.unregister("bob", "phone")
    entry = plan_register(webhook(), "bob", "desk", node.view, 1)
    assert isinstance(entry, RegisterEntry)
    assert entry.count == 1


def test_only_what_is_registered_ends() -> None:
    node = PushNode()
    assert plan_unregister("bob", "phone", node.view) is None
    node.register("bob")
    assert plan_unregister("bob", "desk", node.view) is None
    entry = plan_unregister("bob", "phone", node.view)
    assert entry is not None
    assert entry.count == 0
