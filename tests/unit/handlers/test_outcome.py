from __future__ import annotations

import pytest

from hivewire.core.limits import SMALL_GROUP

from .driver import Driver, bodies
from .team import Team

KEY = "key-once"


def test_what_was_never_done_is_not_found_so_far() -> None:
    team = Team()
    answer = team.ann.asks("outcome", key=KEY)
    assert (answer["code"], answer["field"]) == ("not_found", "key")


def test_a_key_is_a_users_own() -> None:
    team = Team()
    team.sends(team.bob, key=KEY)
    assert team.ann.asks("outcome", key=KEY)["code"] == "not_found"


def test_I2_it_waits_for_a_send_under_way() -> None:
    team = Team()
    team.ann.says("send", to="group:g", key=KEY, text="hi")
    team.ann.says("outcome", key=KEY)
    assert team.driver.turn() == []
    assert bodies(team.driver.settle())[-1]["op"] == "outcome"


def test_it_tells_the_answer_and_who_has_it() -> None:
    team = Team(members=["bob", "cat"])
    sent = team.sends(team.ann, key=KEY)
    team.bob.asks("read", conv="group:g", n=3)
    team.cat.says("ack", seq=3, id=None)
    team.driver.turn()
    team.driver.delivery.cursors()
    team.driver.settle()
    answer = team.ann.asks("outcome", key=KEY)
    assert answer["sent"] == {name: sent[name] for name in ("conv", "n", "seq", "ts", "dup")}
    assert answer["recipients"] == [
        {"user": "bob", "delivered": True, "read": True},
        {"user": "cat", "delivered": True, "read": False},
    ]


@pytest.mark.parametrize("op", ["edit", "group.add"])
def test_it_tells_of_changes_too(op: str) -> None:
    team = Team()
    team.sends(team.ann)
    fields = {"n": 3, "text": "ho"} if op == "edit" else {"members": ["cat"]}
    team.asks(team.ann, op, conv="group:g", key=KEY, **fields)
    assert team.ann.asks("outcome", key=KEY)["sent"]["n"] == 4


def test_in_a_channel_nobody_is_named_and_there_is_no_seq() -> None:
    team = Team("channel")
    team.sends(team.ann, key=KEY)
    answer = team.ann.asks("outcome", key=KEY)
    assert (answer["recipients"], "seq" in answer["sent"]) == ([], False)


def test_I8_of_a_large_group_a_hundred_are_named() -> None:
    team = Team(members=[f"u{number:03}" for number in range(SMALL_GROUP + 50)])
    for line, key in ((team.ann, KEY), (Driver(team.driver.store).open("u149"), "key-last")):
        line.asks("send", to="group:g", key=key, text="hi")
        recipients = line.asks("outcome", key=key)["recipients"]
        assert len(recipients) == SMALL_GROUP
