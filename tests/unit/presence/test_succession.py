"""One `Presence` after another: what is told in the end is as if there had been one."""

from __future__ import annotations

import json

from hivewire.presence import succession
from tests.unit.presence.town import Town


def replaced(town: Town) -> None:
    """A new presence in the place of the town's, through a form that has no classes."""
    standing = succession.hand_over(town.presence)
    plain = json.loads(json.dumps(standing, default=list))
    fresh = Town()
    town.presence.__dict__.update(fresh.presence.__dict__)
    for name in ("people", "watchers"):
        part = getattr(fresh.presence, name)
        setattr(town.presence, name, part)
    town.presence.people._devices = lambda user: list(town.lines.get(user, ()))
    town.presence._last_seen = town._load
    town.presence._is_blocked = lambda by, who: (by, who) in town.blocks
    succession.take_over(town.presence, succession.Standing(*plain), town.now)


def test_who_watches_is_told_of_what_comes() -> None:
    town = Town()
    eve = town.connect("eve")
    town.connect("ann")
    assert town.watch(eve, "ann", "bob") == {"ann": ("online", None), "bob": ("offline", None)}
    replaced(town)
    assert town.presence.figures()["watched"] == 2
    town.connect("bob")
    town.says("ann", "away")
    town.later(10_000)
    assert {user: change.state for user, change in town.told[eve].items()} == {
        "ann": "away",
        "bob": "online",
    }


def test_a_change_that_was_not_told_yet_is_told() -> None:
    town = Town()
    eve = town.connect("eve")
    town.connect("ann")
    town.watch(eve, "ann")
    town.says("ann", "away")
    replaced(town)
    town.later(10_000)
    assert town.told[eve]["ann"].state == "away"


def test_who_has_just_gone_lingers_as_long_as_he_would_have() -> None:
    town = Town(linger="20s")
    eve = town.connect("eve")
    town.connect("ann")
    town.watch(eve, "ann")
    town.cut("ann")
    town.later(15_000)
    replaced(town)
    town.later(4_000)
    assert town.told[eve]["ann"].state == "online"
    town.later(3_000)
    assert town.told[eve]["ann"].state == "offline"
    assert len(town.written) == 1


def test_who_hides_stays_hidden_and_who_is_blocked_sees_nothing() -> None:
    town = Town()
    eve = town.connect("eve")
    town.connect("ann")
    town.connect("bob")
    town.says("ann", "invisible")
    town.block("bob", "eve")
    assert {state for state, _ in town.watch(eve, "ann", "bob").values()} == {"offline"}
    replaced(town)
    town.says("bob", "away")
    assert town.later(10_000) == []
    town.says("ann", "online")
    town.later(10_000)
    assert town.told[eve]["ann"].state == "online"


def test_nobody_is_remembered_for_nothing() -> None:
    town = Town()
    eve = town.connect("eve")
    town.watch(eve, "ann")
    town.unwatch(eve, "ann")
    replaced(town)
    assert len(town.presence.people) == 0
