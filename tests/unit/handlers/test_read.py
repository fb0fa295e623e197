from __future__ import annotations

import pytest

from .driver import Driver, bodies
from .team import Team, pushed

CONV = "direct:ann,bob"


def test_connect_comes_first() -> None:
    answer = Driver().stranger().asks("read", conv=CONV, n=1)
    assert answer["code"] == "unauthorized"


def test_I1_ok_comes_when_the_mark_is_durable() -> None:
    team = Team()
    team.sends(team.ann)
    team.bob.says("read", conv="group:g", n=3)
    assert team.driver.turn() == []
    assert bodies(team.driver.sync())[0]["op"] == "ok"
    team.driver.store.crash()
    assert Driver(team.driver.store).view.marks.load("group:g", "bob") == (3, 3)


def test_without_an_id_nothing_is_answered_and_it_is_written_soon() -> None:
    team = Team()
    wanted = team.driver.cursors_wanted
    team.bob.says("read", conv="group:g", n=2, id=None)
    assert team.driver.settle() == []
    assert team.driver.cursors_wanted == wanted + 1
    assert team.driver.view.marks.load("group:g", "bob") == (2, 2)


def test_it_never_goes_back() -> None:
    team = Team()
    team.sends(team.ann)
    for n in (3, 1, 2):
        assert team.bob.asks("read", conv="group:g", n=n)["op"] == "ok"
    assert team.driver.view.marks.load("group:g", "bob") == (3, 3)


def test_I2_what_is_not_durable_cannot_have_been_read() -> None:
    team = Team()
    team.ann.says("send", to="group:g", key=team.key(), text="hi")
    team.bob.says("read", conv="group:g", n=3)
    (answer,) = bodies(team.driver.turn())
    assert (answer["code"], answer["field"]) == ("bad_request", "n")


@pytest.mark.parametrize("conv", ["group:g", "group:none", "channel:none", "direct:ann,bob"])
def test_a_stranger_hears_the_same_of_all(conv: str) -> None:
    team = Team()
    answer = team.cat.asks("read", conv=conv, n=1)
    assert (answer["code"], answer["field"]) == ("forbidden", "conv")


def test_who_has_left_cannot_read() -> None:
    team = Team()
    team.asks(team.bob, "group.leave", conv="group:g")
    assert team.bob.asks("read", conv="group:g", n=1)["code"] == "forbidden"


def test_in_a_group_the_authors_are_told_and_ones_own_devices() -> None:
    team = Team(members=["bob", "cat"])
    team.sends(team.bob)
    team.sends(team.ann)
    team.quiet()
    team.cat.asks("read", conv="group:g", n=3)
    team.driver.later(2_000)
    assert pushed(team.driver.told()) == [
        (user, {"op": "receipt", "conv": "group:g", "user": "cat", "delivered": 3, "read": 3})
        for user in ("bob", "cat")
    ]
    team.cat.asks("read", conv="group:g", n=4)
    team.driver.later(2_000)
    assert [user for user, _ in pushed(team.driver.told())] == ["ann", "cat"]


def test_in_a_channel_only_ones_own_devices_are_told() -> None:
    team = Team("channel")
    team.sends(team.ann)
    team.quiet()
    team.bob.asks("read", conv=team.conv, n=3)
    team.driver.later(2_000)
    assert [user for user, _ in pushed(team.driver.told())] == ["bob"]
