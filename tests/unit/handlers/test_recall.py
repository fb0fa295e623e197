from __future__ import annotations

from .team import Team


def test_the_message_is_gone_for_everybody_who_looks_later() -> None:
    team = Team()
    team.sends(team.bob, "a secret")
    assert team.asks(team.ann, "recall", conv="group:g", n=3)["n"] == 4
    for line in (team.ann, team.bob):
        message, recall = line.asks("history", conv="group:g", after=2)["items"]
        assert "text" not in message
        assert (message["n"], message["recalled"]) == (3, recall["ts"])
        assert (recall["type"], recall["from"], recall["target"]) == ("recall", "ann", 3)
        page = line.asks("sync", after=0)
        assert "secret" not in str(page)


def test_a_member_takes_back_only_what_is_his() -> None:
    team = Team()
    team.sends(team.ann)
    answer = team.asks(team.bob, "recall", conv="group:g", n=3)
    assert (answer["code"], answer["field"]) == ("forbidden", "n")


def test_twice_is_once() -> None:
    team = Team()
    team.sends(team.ann)
    team.asks(team.ann, "recall", conv="group:g", n=3)
    assert team.asks(team.ann, "recall", conv="group:g", n=3)["code"] == "not_found"
