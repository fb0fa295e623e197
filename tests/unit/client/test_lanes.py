"""Of each conversation one change at a time; others do not wait for it."""

from __future__ import annotations

from typing import Any

import pytest

from hivewire.client.lanes import Lanes, Pending, lane_of

pytestmark = pytest.mark.unit


def put(lanes: Lanes, *names: str) -> dict[str, Pending]:
    """Commands like `b1`: the lane, and which one of it."""
    made: dict[str, Pending] = {}
    for order, name in enumerate(names):
        made[name] = Pending({"name": name}, order, name[0], None)  # type: ignore[arg-type]
        lanes.put(made[name])
    return made


def taken(lanes: Lanes) -> list[str]:
    names: list[str] = []
    while (pending := lanes.take()) is not None:
        names.append(pending.command["name"])
    return names


def test_the_first_of_each_lane_goes_and_then_the_next() -> None:
    lanes = Lanes()
    made = put(lanes, "a1", "a2", "b1", "a3")
    assert taken(lanes) == ["a1", "b1"]
    lanes.remove(made["a1"])
    assert taken(lanes) == ["a2"]
    lanes.remove(made["b1"])
    assert taken(lanes) == []


def test_what_waits_can_be_taken_out() -> None:
    lanes = Lanes()
    made = put(lanes, "a1", "a2", "b1", "a3")
    lanes.remove(made["a2"])
    lanes.remove(made["b1"])
    assert taken(lanes) == ["a1"]
    lanes.remove(made["a1"])
    assert taken(lanes) == ["a3"]


def test_a_new_line_begins_with_the_oldest_but_not_with_what_is_held() -> None:
    lanes = Lanes()
    made = put(lanes, "a1", "b1", "c1", "b2")
    assert taken(lanes) == ["a1", "b1", "c1"]
    made["a1"].held = True
    lanes.remove(made["b1"])
    lanes.restart()
    assert taken(lanes) == ["c1", "b2"]
    lanes.release(made["a1"])
    assert taken(lanes) == ["a1"]
    made["a1"].over = True
    lanes.release(made["a1"])
    assert taken(lanes) == []


@pytest.mark.parametrize(
    ("command", "lane"),
    [
        ({"op": "send", "key": "k", "to": "user:b"}, "user:b"),
        ({"op": "send", "key": "k", "to": "direct:a,b"}, "user:b"),
        ({"op": "edit", "key": "k", "conv": "direct:A,a"}, "user:A"),
        ({"op": "send", "key": "k", "to": "direct:a,a"}, "user:a"),
        ({"op": "edit", "key": "k", "conv": "group:g"}, "group:g"),
        ({"op": "group.create", "key": "k", "kind": "channel", "group": "g"}, "channel:g"),
        ({"op": "group.create", "key": "k", "kind": "group"}, "key 7"),
        ({"op": "history", "conv": "group:g"}, "question 7"),
        ({"op": "outcome", "key": "k"}, "question 7"),
    ],
)
def test_lanes_are_conversations(command: dict[str, Any], lane: str) -> None:
    assert lane_of(command, "a", 7) == lane
