from __future__ import annotations

import pytest

from .driver import Driver, bodies
from .team import Team, subscribed


@pytest.mark.parametrize("op", ["open", "close"])
def test_connect_comes_first(op: str) -> None:
    assert Driver().stranger().asks(op, conv="channel:g")["code"] == "unauthorized"


def test_pushes_start_right_behind_the_head_that_is_answered() -> None:
    team = Team("channel")
    team.sends(team.ann)
    team.bob.says("open", conv=team.conv)
    told = team.driver.settle()
    conn = team.bob.conn
    assert subscribed(told) == [
        ("unsubscribe", conn, "heads:channel:g"),
        ("subscribe", conn, "open:channel:g"),
    ]
    (answer,) = bodies(told)
    assert (answer["op"], answer["head"]) == ("ok", 3)


def test_I2_what_is_on_its_way_comes_as_a_push_or_is_below_the_head() -> None:
    team = Team("channel")
    team.ann.says("send", to=team.conv, key=team.key(), text="hi")
    team.bob.says("open", conv=team.conv)
    assert team.driver.turn() == []
    told = team.driver.sync()
    assert [one.push["n"] for one in told if one.kind == "publish"] == [3]
    assert bodies(told)[-1]["head"] == 3
    assert told.index(next(one for one in told if one.kind == "subscribe")) > 1


@pytest.mark.parametrize("conv", ["channel:g", "channel:none", "group:none"])
def test_a_stranger_learns_nothing(conv: str) -> None:
    team = Team("channel")
    team.cat.says("open", conv=conv)
    told = team.driver.settle()
    assert bodies(told)[0]["code"] == "forbidden"
    assert subscribed(told) == []


def test_only_channels_are_opened() -> None:
    team = Team()
    for conv in ("group:g", "direct:ann,bob"):
        answer = team.ann.asks("open", conv=conv)
        assert (answer["code"], answer["field"]) == ("bad_request", "conv")


def test_a_group_that_became_a_channel_can_be_opened() -> None:
    team = Team(driver=Driver(limits={"group_members": 2}))
    team.asks(team.ann, "group.add", conv="group:g", members=["cat"])
    assert team.cat.asks("open", conv="group:g")["head"] == 4
