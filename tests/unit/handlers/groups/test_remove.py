from __future__ import annotations

import pytest

from tests.unit.handlers.team import Team


@pytest.mark.parametrize("kind", ["group", "channel"])
def test_who_is_removed_hears_it_and_then_nothing_more(kind: str) -> None:
    team = Team(kind)
    team.ann.says("group.remove", conv=team.conv, key=team.key(), members=["bob"])
    told = team.driver.settle()
    (event,) = [one for one in told if one.kind == "event" and one.user == "bob"]
    assert event.body["changes"] == [{"user": "bob", "change": "removed"}]
    team.ann.says("send", to=team.conv, key=team.key(), text="behind his back")
    assert not any(vars(one).get("user") == "bob" for one in team.driver.settle())
    assert team.sends(team.bob)["code"] == "forbidden"
    assert team.bob.asks("history", conv=team.conv)["code"] == "forbidden"


def test_the_answer_is_the_group_without_them() -> None:
    team = Team(members=["bob", "cat"])
    answer = team.asks(team.ann, "group.remove", conv="group:g", members=["bob", "nobody"])
    assert ([member["user"] for member in answer["members"]], answer["count"]) == (
        ["ann", "cat"],
        2,
    )


def test_who_removes_himself_learns_only_that_it_is_done() -> None:
    team = Team()
    answer = team.asks(team.ann, "group.remove", conv="group:g", members=["ann"])
    assert (answer["op"], answer["members"], answer["head"]) == ("group", [], 0)
    roles = team.bob.asks("group.info", conv="group:g")["members"]
    assert roles == [{"user": "bob", "role": "owner"}]
