"""What `watch` answers and refuses, what becomes of it, and when there is something to do."""

from __future__ import annotations

import pytest

from hivewire.core.entries import Rejection

from .town import EPOCH, Town, states

pytestmark = pytest.mark.unit

LINGER = 20_000
GATHER = 500
EVE = 1_000_000
"""The connection of a user who watches; only its number counts."""


class TestSnapshot:
    """What `watch` answers."""

    def test_each_user_is_told_as_he_is(self) -> None:
        town = Town()
        town.stored["bob"] = 77
        town.connect("ann")
        town.connect("cat")
        town.says("cat", "away")
        assert town.watch(EVE, "ann", "bob", "cat", "nobody") == {
            "ann": ("online", None),
            "bob": ("offline", 77),
            "cat": ("away", None),
            "nobody": ("offline", None),
        }

    def test_a_user_named_twice_is_told_once(self) -> None:
        town = Town()
        answer = town.presence.watch(EVE, "eve", 0, ["ann", "bob", "ann"], 0)
        assert [change.user for change in answer] == ["ann", "bob"]  # type: ignore[union-attr]
        assert town.presence.watchers.pairs == 2

    def test_a_glance_tells_the_same_and_nobody_watches(self) -> None:
        town = Town()
        town.stored["bob"] = 77
        town.connect("ann")
        found = town.presence.glance(["ann", "bob", "ann"])
        assert [(one.user, one.state, one.last_seen) for one in found] == [
            ("ann", "online", None),
            ("bob", "offline", 77),
        ]
        assert (len(town.presence.people), town.presence.watchers.pairs) == (0, 0)

    def test_a_glance_at_who_is_watched_changes_nothing_for_the_watcher(self) -> None:
        town = Town()
        town.watch(EVE, "ann")
        assert [one.state for one in town.presence.glance(["ann"])] == ["offline"]
        town.connect("ann")
        town.later(GATHER)
        assert town.told[EVE]["ann"].state == "online"

    def test_who_went_a_moment_ago_is_still_there(self) -> None:
        town = Town()
        town.connect("ann")
        town.says("ann", "away")
        town.cut("ann")
        assert town.watch(EVE, "ann") == {"ann": ("away", None)}

    def test_watching_again_tells_again_and_leaves_nothing_pending(self) -> None:
        town = Town(changes_per_watcher=2)
        town.watch(EVE, "ann", "bob")
        town.connect("ann")
        town.connect("bob")
        assert states(town.later(GATHER)) == [("ann", "online")]
        assert town.watch(EVE, "bob") == {"bob": ("online", None)}
        assert town.later(60_000) == []


class TestRefusals:
    def test_more_than_the_limit_is_too_large_and_none_is_watched(self) -> None:
        town = Town(watch=3)
        town.watch(EVE, "a", "b")
        answer = town.presence.watch(EVE, "eve", 0, ["b", "c", "d"], 0)
        assert isinstance(answer, Rejection)
        assert (answer.code, answer.field) == ("too_large", "users")
        assert town.presence.watchers.pairs == 2
        town.watch(EVE, "b", "c")

    def test_the_node_watches_so_many_in_all(self) -> None:
        town = Town(watched=2)
        town.watch(EVE, "a", "b")
        answer = town.presence.watch(EVE + 1, "eve", 0, ["a"], 0)
        assert isinstance(answer, Rejection)
        assert (answer.code, answer.retryable) == ("unavailable", True)
        town.unwatch(EVE, "a")
        town.watch(EVE + 1, "a")

    def test_who_asks_too_often_waits_as_long_as_he_is_told(self) -> None:
        town = Town(watch=10, changes_per_watcher=10)
        users = [f"u{number}" for number in range(10)]
        town.watch(EVE, *users)
        town.watch(EVE, *users)
        answer = town.presence.watch(EVE, "eve", 0, users, town.now)
        assert isinstance(answer, Rejection)
        assert (answer.code, answer.retry_after_ms) == ("rate_limited", 1_001)
        town.now += 1_001
        town.watch(EVE, *users)


class TestEnd:
    def test_a_watcher_that_is_gone_is_told_nothing_and_forgotten(self) -> None:
        town = Town()
        town.watch(EVE, "ann", "bob")
        town.connect("ann")
        town.presence.closed(EVE, town.now)
        assert town.later(1_000) == []
        assert (len(town.presence.watchers), town.presence.watchers.pairs) == (0, 0)
        assert len(town.presence.people) == 0

    def test_unwatched_is_told_no_more(self) -> None:
        town = Town()
        town.watch(EVE, "ann", "bob")
        town.connect("ann")
        town.connect("bob")
        town.unwatch(EVE, "ann", "nobody")
        assert states(town.later(1_000)) == [("bob", "online")]
        town.presence.unwatch(EVE + 1, ["ann"])

    def test_at_rest_nothing_is_due(self) -> None:
        town = Town()
        for number in range(10):
            town.connect(f"u{number}")
        town.watch(EVE, *[f"u{number}" for number in range(10)])
        town.later(1_000)
        assert town.presence.due is None

    def test_of_a_user_whom_nobody_watches_nothing_is_looked_at(self) -> None:
        town = Town()
        town.connect("ann")
        town.cut("ann")
        town.connect("ann")
        town.says("ann", "away")
        assert town.presence.due == LINGER

    def test_the_end_of_the_node_parts_from_everybody_who_was_there(self) -> None:
        town = Town()
        town.connect("ann")
        town.connect("bob")
        town.says("bob", "invisible")
        town.connect("cat")
        town.now = 3_000
        town.cut("cat")
        town.now = 9_000
        found = {
            entry.user: (entry.last_seen, entry.hidden)
            for entry in town.presence.partings(["ann", "bob"], town.ts)
        }
        assert found == {
            "ann": (EPOCH + 9_000, False),
            "bob": (EPOCH, True),
            "cat": (EPOCH + 3_000, False),
        }

    def test_lines_that_end_when_the_node_has_parted_leave_nothing_behind(self) -> None:
        town = Town()
        town.connect("ann")
        town.connect("bob")
        partings = town.presence.partings(["ann", "bob"], town.ts)
        found = {next(partings).user}
        town.cut("ann")
        town.cut("bob")
        assert {entry.user for entry in partings} | found == {"ann", "bob"}
        assert len(town.presence.people) == 0

    def test_each_thing_that_falls_due_wakes(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        assert town.wakes == []
        town.says("ann", "away")
        assert min(town.wakes) == GATHER
        town.cut("ann")
        town.presence.closed(EVE, 7)
        assert {GATHER, LINGER, 7} <= set(town.wakes)
