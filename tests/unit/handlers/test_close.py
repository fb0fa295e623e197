from __future__ import annotations

from .driver import bodies
from .team import Team, subscribed


def test_from_here_on_only_heads_are_told() -> None:
    team = Team("channel")
    team.bob.asks("open", conv=team.conv)
    team.sends(team.ann)
    team.bob.says("close", conv=team.conv)
    told = team.driver.settle()
    assert subscribed(told) == [
        ("unsubscribe", team.bob.conn, "open:channel:g"),
        ("subscribe", team.bob.conn, "heads:channel:g"),
    ]
    assert bodies(told)[0]["head"] == 3


def test_what_one_is_not_in_cannot_be_closed() -> None:
    team = Team("channel")
    team.cat.says("close", conv=team.conv)
    told = team.driver.settle()
    assert (bodies(told)[0]["code"], subscribed(told)) == ("forbidden", [])
