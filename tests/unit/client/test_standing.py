"""What a new line is told again."""

from __future__ import annotations

import pytest

from hivewire.client.standing import Standing

pytestmark = pytest.mark.unit


def test_nothing_asked_nothing_told() -> None:
    assert Standing().commands() == []


def test_what_stands_is_told_in_the_order_of_the_application() -> None:
    standing = Standing()
    standing.opened("channel:b")
    standing.opened("channel:a")
    standing.watched(["u2", "u1"])
    standing.watched(["u3", "u1"])
    standing.unwatched(["u2", "u9"])
    standing.status("away")
    assert standing.commands() == [
        {"op": "status", "state": "away"},
        {"op": "watch", "users": ["u1", "u3"]},
        {"op": "open", "conv": "channel:b"},
        {"op": "open", "conv": "channel:a"},
    ]
    standing.closed("channel:b")
    standing.closed("channel:b")
    standing.unwatched(["u1", "u3"])
    assert [command["op"] for command in standing.commands()] == ["status", "open"]


def test_answers_tell_the_application_how_things_are_by_now() -> None:
    standing = Standing()
    changes = [{"user": "u1", "state": "online", "last_seen": None}]
    answer = {"op": "presence", "id": 4, "changes": changes}
    watch = {"op": "watch", "users": ["u1"]}
    assert standing.on_answer(watch, answer) == {"op": "presence", "changes": changes}
    opened = standing.on_answer({"op": "open", "conv": "channel:a"}, {"op": "ok", "head": 9})
    assert opened == {"op": "channel", "conv": "channel:a", "head": 9}
    assert standing.on_answer({"op": "status", "state": "away"}, {"op": "ok"}) is None


def test_what_is_refused_stands_no_more() -> None:
    standing = Standing()
    standing.opened("channel:a")
    standing.watched(["u1"])
    standing.status("away")
    for command in standing.commands():
        standing.on_refused(command)
    assert standing.commands() == []
