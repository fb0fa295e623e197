from __future__ import annotations

from tests.unit.handlers.driver import Driver
from tests.unit.handlers.team import Team


def test_who_is_added_is_in_from_here_on() -> None:
    team = Team()
    answer = team.asks(team.ann, "group.add", conv="group:g", members=["cat"])
    assert ([member["user"] for member in answer["members"]], answer["count"]) == (
        ["ann", "bob", "cat"],
        3,
    )
    assert team.sends(team.cat)["n"] == 4


def test_adding_again_changes_nothing() -> None:
    team = Team()
    answer = team.asks(team.ann, "group.add", conv="group:g", members=["bob", "ann"])
    assert (answer["op"], answer["head"], answer["dup"]) == ("group", 2, False)
    assert team.sends(team.ann)["n"] == 3


def test_a_group_that_outgrows_its_bound_becomes_a_channel_and_loses_nothing() -> None:
    team = Team(driver=Driver(limits={"group_members": 3}))
    team.ann.says("send", to="group:g", key=team.key(), text="before")
    team.ann.says("group.add", conv="group:g", key=team.key(), members=["cat", "dan"])
    team.ann.says("send", to="group:g", key=team.key(), text="behind")
    told = team.driver.settle()
    events = [(one.user, one.seq, one.body["type"]) for one in told if one.kind == "event"]
    assert [event for event in events if event[0] == "bob"] == [
        ("bob", 3, "message"),
        ("bob", 4, "membership"),
        ("bob", 5, "conversation"),
    ]
    published = [one.push["n"] for one in told if one.kind == "publish"]
    assert published == [4, 5, 6]
    history = team.cat.asks("history", conv="group:g")["items"]
    assert [item["n"] for item in history] == [1, 2, 3, 4, 5, 6]
    assert team.cat.asks("group.info", conv="group:g")["kind"] == "channel"


def test_members_do_not_add() -> None:
    team = Team()
    answer = team.asks(team.bob, "group.add", conv="group:g", members=["cat"])
    assert (answer["code"], answer["field"]) == ("forbidden", "conv")
