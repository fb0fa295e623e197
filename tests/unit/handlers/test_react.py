from __future__ import annotations

from .team import Team


def shown(team: Team) -> object:
    (message,) = team.bob.asks("history", conv="group:g", after=2, limit=1)["items"]
    return message.get("reactions"), message.get("reaction_counts")


def test_it_is_seen_until_it_is_taken_off() -> None:
    team = Team()
    team.sends(team.ann)
    for line in (team.bob, team.ann):
        assert team.asks(line, "react", conv="group:g", n=3, emoji="👍")["op"] == "sent"
    assert shown(team) == ({"👍": ["ann", "bob"]}, {"👍": 2})
    team.asks(team.ann, "react", conv="group:g", n=3, emoji="👍", on=False)
    assert shown(team) == ({"👍": ["bob"]}, {"👍": 1})
    team.asks(team.bob, "react", conv="group:g", n=3, emoji="👍", on=False)
    assert shown(team) == (None, None)


def test_the_event_says_who_felt_what() -> None:
    team = Team()
    team.sends(team.ann)
    team.bob.says("react", conv="group:g", n=3, key=team.key(), emoji="👍")
    event = next(one.body for one in team.driver.settle() if one.user == "ann")
    assert (event["type"], event["from"], event["target"]) == ("reaction", "bob", 3)
    assert (event["emoji"], event["on"]) == ("👍", True)


def test_on_what_is_no_message() -> None:
    team = Team()
    assert team.asks(team.ann, "react", conv="group:g", n=1, emoji="x")["code"] == "not_found"
    assert team.asks(team.cat, "react", conv="group:g", n=1, emoji="x")["code"] == "forbidden"
