from __future__ import annotations

import pytest

from tests.unit.handlers.driver import Driver
from tests.unit.handlers.team import Team


def test_the_answer_says_what_was_made_behind_its_events() -> None:
    team = Team(name="Team", history="joined", members=["bob", "cat", "bob", "ann"])
    assert team.made | {"id": 0} == {
        "op": "group",
        "id": 0,
        "conv": "group:g",
        "kind": "group",
        "name": "Team",
        "history": "joined",
        "members": [
            {"user": "ann", "role": "owner"},
            {"user": "bob", "role": "member"},
            {"user": "cat", "role": "member"},
        ],
        "count": 3,
        "head": 2,
        "dup": False,
    }


def test_an_id_is_made_up_where_none_is_given() -> None:
    team = Team()
    first, second = (team.asks(team.ann, "group.create")["conv"] for _ in range(2))
    assert first != second
    assert first.startswith("group:")


def test_I4_a_resend_gets_the_group_with_the_id_that_was_made_up() -> None:
    team = Team()
    first = team.asks(team.ann, "group.create", key="key-once")
    again = team.asks(team.ann, "group.create", key="key-once")
    assert (again["conv"], again["dup"]) == (first["conv"], True)


@pytest.mark.parametrize("kind", ["group", "channel"])
def test_what_is_taken_is_taken(kind: str) -> None:
    team = Team(kind)
    answer = team.asks(team.cat, "group.create", group="g", kind=kind)
    assert (answer["code"], answer["field"]) == ("conflict", "group")


def test_I8_too_many_are_refused() -> None:
    driver = Driver(limits={"group_members": 3})
    ann = driver.open("ann")
    answer = ann.asks("group.create", key="key-0001", members=["b", "c", "d"])
    assert (answer["code"], answer["field"]) == ("too_large", "members")
    made = ann.asks("group.create", key="key-0001", members=["b", "c", "d"], kind="channel")
    assert (made["kind"], made["count"]) == ("channel", 4)
