from __future__ import annotations

import pytest

from tests.unit.handlers.driver import Driver
from tests.unit.handlers.team import Team


def test_connect_comes_first() -> None:
    assert Driver().stranger().asks("group.info", conv="group:g")["code"] == "unauthorized"


def test_it_says_what_create_said() -> None:
    team = Team(name="Team")
    answer = team.bob.asks("group.info", conv="group:g")
    assert answer | {"id": 0} == team.made | {"id": 0}


@pytest.mark.parametrize("conv", ["group:g", "group:none", "channel:g", "direct:ann,bob"])
def test_a_stranger_learns_nothing(conv: str) -> None:
    answer = Team().cat.asks("group.info", conv=conv)
    assert (answer["code"], answer["field"]) == ("forbidden", "conv")


def test_a_direct_chat_is_no_group() -> None:
    team = Team()
    team.asks(team.ann, "send", to="user:bob", text="hi")
    assert team.ann.asks("group.info", conv="direct:ann,bob")["code"] == "forbidden"
