from __future__ import annotations

import pytest

from hivewire.push.slots import Slots

pytestmark = pytest.mark.unit


def test_who_finds_no_room_comes_in_turn() -> None:
    slots = Slots(1)
    assert slots.take("a", "ann")
    assert not slots.take("a", "bob")
    assert not slots.take("a", "cat")
    assert not slots.take("a", "bob")
    assert slots.take("b", "bob")
    assert slots.under_way == 2
    assert slots.release("a") == "bob"
    assert slots.take("a", "bob")
    assert slots.release("a") == "cat"
    assert slots.take("a", "cat")
    assert slots.release("a") is None
    assert slots.release("b") is None
    assert slots.under_way == 0
    assert vars(slots)["_taken"] == vars(slots)["_queues"] == {}
