from __future__ import annotations

from typing import Any

import pytest

from hivewire.delivery import MSGPACK

from .driver import Driver
from .team import Team


def places(answer: dict[str, Any]) -> list[int]:
    assert answer["op"] == "history", answer
    return [item["n"] for item in answer["items"]]


def talked(count: int = 4) -> Team:
    """A group with `count` messages behind its first two events."""
    team = Team(driver=Driver(limits={"sends_per_second": 0, "sends_per_second_user": 0}))
    for number in range(count):
        team.sends(team.ann, f"text {number}")
    return team


@pytest.mark.parametrize(
    ("asked", "expected", "done"),
    [
        ({}, [1, 2, 3, 4, 5, 6], True),
        ({"limit": 2}, [5, 6], False),
        ({"limit": 6}, [1, 2, 3, 4, 5, 6], True),
        ({"before": 5, "limit": 2}, [3, 4], False),
        ({"before": 3}, [1, 2], True),
        ({"before": 1}, [], True),
        ({"before": 0}, [], True),
        ({"before": 2**53 - 1, "limit": 1}, [6], False),
        ({"after": 0, "limit": 2}, [1, 2], False),
        ({"after": 4}, [5, 6], True),
        ({"after": 6}, [], True),
        ({"after": 2**53 - 1}, [], True),
    ],
)
def test_both_ways_without_gaps(asked: dict[str, int], expected: list[int], done: bool) -> None:
    answer = talked().bob.asks("history", conv="group:g", **asked)
    assert (places(answer), answer["done"]) == (expected, done)


def test_one_way_at_a_time() -> None:
    answer = talked().ann.asks("history", conv="group:g", before=5, after=1)
    assert (answer["code"], answer["field"]) == ("bad_request", "after")


def test_a_limit_is_clamped() -> None:
    team = talked(210)
    assert len(places(team.ann.asks("history", conv="group:g", limit=10_000))) == 200


def test_a_message_shows_its_state_now_in_both_encodings() -> None:
    team = talked(1)
    team.asks(team.ann, "edit", conv="group:g", n=3, text="ho")
    team.asks(team.bob, "react", conv="group:g", n=3, emoji="x")
    for line in (team.bob, team.driver.open("bob", "tablet", encoding=MSGPACK)):
        message = line.asks("history", conv="group:g", after=2, limit=1)["items"][0]
        assert (message["text"], message["reactions"]) == ("ho", {"x": ["bob"]})
        assert message["edited"] == team.driver.clock.ms


@pytest.mark.parametrize("conv", ["group:g", "group:none", "channel:none", "direct:ann,bob"])
def test_a_stranger_learns_nothing(conv: str) -> None:
    team = talked(0)
    answer = team.cat.asks("history", conv=conv)
    assert (answer["code"], answer["field"]) == ("forbidden", "conv")


def test_who_joined_later_sees_what_came_after() -> None:
    team = Team(history="joined")
    team.sends(team.ann, "early")
    team.asks(team.ann, "group.add", conv="group:g", members=["cat"])
    team.sends(team.ann, "late")
    answer = team.cat.asks("history", conv="group:g")
    assert (places(answer), answer["done"]) == ([5], True)
    assert places(team.cat.asks("history", conv="group:g", after=0)) == [5]
    assert places(team.cat.asks("history", conv="group:g", before=4)) == []
