from __future__ import annotations

import pytest

from tests.unit.handlers.driver import bodies
from tests.unit.handlers.team import Team


@pytest.mark.parametrize("kind", ["group", "channel"])
def test_ok_comes_behind_ones_own_farewell(kind: str) -> None:
    team = Team(kind)
    team.bob.says("group.leave", conv=team.conv, key=team.key())
    told = team.driver.settle()
    mine = [one for one in told if one.kind == "event" and one.user == "bob"]
    assert mine[-1].body["changes"] == [{"user": "bob", "change": "left"}]
    assert bodies(told)[-1]["op"] == "ok"
    assert team.sends(team.bob)["code"] == "forbidden"


def test_what_is_in_the_timeline_stays() -> None:
    team = Team()
    team.sends(team.ann, "remember me")
    team.asks(team.bob, "group.leave", conv="group:g")
    events = team.bob.asks("sync", after=0)["events"]
    assert [event["type"] for event in events] == [
        *("conversation", "membership", "message", "membership"),
    ]
    assert events[2]["text"] == "remember me"


def test_who_comes_back_begins_at_the_head() -> None:
    team = Team()
    team.asks(team.bob, "group.leave", conv="group:g")
    team.sends(team.ann)
    team.asks(team.ann, "group.add", conv="group:g", members=["bob"])
    (item,) = team.bob.asks("conversations")["items"]
    assert (item["head"], item["read"], item["unread"]) == (5, 5, 0)
    assert team.sends(team.bob)["seq"] == 5


def test_the_last_one_may_leave() -> None:
    team = Team(members=[])
    assert team.asks(team.ann, "group.leave", conv="group:g")["op"] == "ok"
    assert team.ann.asks("group.info", conv="group:g")["code"] == "forbidden"
