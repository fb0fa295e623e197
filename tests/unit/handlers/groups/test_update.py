from __future__ import annotations

from tests.unit.handlers.team import Team


def test_another_name() -> None:
    team = Team()
    answer = team.asks(team.ann, "group.update", conv="group:g", name="Gang")
    assert (answer["name"], answer["head"]) == ("Gang", 3)
    assert team.bob.asks("conversations")["items"][0]["name"] == "Gang"


def test_another_role() -> None:
    team = Team()
    answer = team.asks(team.ann, "group.update", conv="group:g", user="bob", role="admin")
    assert answer["members"][1] == {"user": "bob", "role": "admin"}
    assert team.asks(team.bob, "group.update", conv="group:g", name="Gang")["op"] == "group"


def test_one_thing_at_a_time() -> None:
    team = Team()
    for fields in ({}, {"name": "x", "user": "bob", "role": "admin"}, {"user": "bob"}):
        answer = team.asks(team.ann, "group.update", conv="group:g", **fields)
        assert answer["code"] == "bad_request"
