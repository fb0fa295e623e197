from __future__ import annotations

import pytest

from hivewire.core.limits import SMALL_GROUP

from .driver import Driver, bodies
from .team import Team, pushed


def test_connect_comes_first() -> None:
    answer = Driver().stranger().asks("typing", conv="group:g", state="start")
    assert answer["code"] == "unauthorized"


@pytest.mark.parametrize("state", ["start", "stop"])
def test_the_others_of_a_group_are_told(state: str) -> None:
    team = Team(members=["bob", "cat"])
    team.ann.says("typing", conv="group:g", state=state, id=None)
    push = {"op": "typing", "conv": "group:g", "user": "ann", "state": state}
    assert pushed(team.driver.turn()) == [("bob", push), ("cat", push)]


def test_ok_comes_only_where_an_id_asks_for_it() -> None:
    team = Team()
    number = team.ann.says("typing", conv="group:g", state="start")
    assert bodies(team.driver.turn()) == [{"op": "ok", "id": number}]


def test_the_other_side_of_a_direct_chat_and_nobody_when_alone() -> None:
    team = Team()
    team.ann.says("typing", conv="direct:ann,cat", state="start", id=None)
    team.ann.says("typing", conv="direct:ann,ann", state="start", id=None)
    assert [user for user, _ in pushed(team.driver.turn())] == ["cat"]


def test_in_a_channel_and_a_large_group_it_goes_to_nobody() -> None:
    large = [f"u{number}" for number in range(SMALL_GROUP)]
    for team in (Team("channel"), Team(members=large)):
        assert team.ann.asks("typing", conv=team.conv, state="start")["op"] == "ok"
        team.ann.says("typing", conv=team.conv, state="start", id=None)
        assert team.driver.turn() == []


@pytest.mark.parametrize("conv", ["group:g", "group:none", "direct:ann,bob"])
def test_a_stranger_is_refused(conv: str) -> None:
    answer = Team().cat.asks("typing", conv=conv, state="start")
    assert (answer["code"], answer["field"]) == ("forbidden", "conv")


def test_who_is_blocked_is_not_heard() -> None:
    team = Team()
    team.bob.asks("block", user="ann")
    answer = team.ann.asks("typing", conv="direct:ann,bob", state="start")
    assert answer["code"] == "forbidden"
    assert team.bob.asks("typing", conv="direct:ann,bob", state="start")["op"] == "ok"
