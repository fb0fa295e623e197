from __future__ import annotations

from .team import Team


def test_all_members_hear_of_it_and_the_author_gets_sent() -> None:
    team = Team()
    team.sends(team.ann)
    team.ann.says("edit", conv="group:g", n=3, key=team.key(), text="ho")
    told = {one.user: one for one in team.driver.settle()}
    assert told["bob"].body | {"key": "", "ts": 0} == {
        "type": "edit",
        "conv": "group:g",
        "n": 4,
        "from": "ann",
        "key": "",
        "ts": 0,
        "target": 3,
        "text": "ho",
    }
    answer = told["ann"].answer
    assert (answer["op"], answer["n"], answer["seq"]) == ("sent", 4, 4)


def test_in_a_channel_it_goes_to_who_has_it_open() -> None:
    team = Team("channel")
    team.sends(team.ann)
    team.ann.says("edit", conv=team.conv, n=3, key=team.key(), text="ho")
    answer, published = team.driver.settle()
    assert (answer.body["op"], published.push["type"]) == ("sent", "edit")


def test_only_ones_own() -> None:
    team = Team()
    team.sends(team.ann)
    answer = team.asks(team.bob, "edit", conv="group:g", n=3, text="ho")
    assert (answer["code"], answer["field"]) == ("forbidden", "n")
