"""Who is told what: bounds, blocks, and that it is the truth in the end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hivewire.presence.presence import TURN_MS

from .town import EPOCH, Town, states

pytestmark = pytest.mark.unit

GATHER = 500
EVE = 1_000_000
"""The connection of a user who watches; only its number counts."""


class TestBounds:
    """Many at once: so many a push, so many a second, and the newest in the end."""

    def test_I8_a_watcher_is_told_so_many_a_second(self) -> None:
        town = Town(changes_per_watcher=100)
        users = [f"u{number}" for number in range(500)]
        town.watch(EVE, *users)
        for user in users:
            town.connect(user)
        pushes = town.later(10_000)
        assert [len(changes) for _, _, changes in pushes] == [50] * 10
        times = [when for when, _, _ in pushes]
        assert all(b - a >= GATHER for a, b in pairwise(times))
        assert len(states(pushes)) == 500

    def test_I8_all_together_are_told_so_many_a_second(self) -> None:
        town = Town(changes_per_second=1_000)
        for number in range(2_000):
            town.watch(EVE + number, "ann")
        town.connect("ann")
        pushes = town.later(10_000)
        assert len(pushes) == 2_000
        per_second = [
            sum(second <= when < second + 1_000 for when, _, _ in pushes)
            for second in range(0, 4_000, 1_000)
        ]
        assert max(per_second) <= 1_000

    def test_the_newest_state_wins(self) -> None:
        town = Town(changes_per_watcher=2)
        town.watch(EVE, "ann", "bob")
        town.connect("ann")
        town.connect("bob")
        town.later(GATHER)
        town.says("bob", "away")
        town.later(5_000)
        assert [change.state for change in town.told[EVE].values()] == ["online", "away"]
        assert ("bob", "online") not in states(town.pushes)

    def test_a_change_that_is_undone_before_it_is_told_is_not_told(self) -> None:
        town = Town(changes_per_watcher=2)
        for user in ("ann", "bob", "cat"):
            town.connect(user)
        town.watch(EVE, "ann", "bob", "cat")
        for user in ("ann", "bob", "cat"):
            town.says(user, "away")
        town.later(GATHER + 10)
        town.says("cat", "online")
        town.later(10_000)
        assert states(town.pushes) == [("ann", "away"), ("bob", "away")]

    def test_I8_the_pushes_of_many_watchers_come_in_portions(self) -> None:
        town = Town()
        for number in range(100):
            town.watch(EVE + number, *[f"u{user}" for user in range(200)])
        for user in range(200):
            town.connect(f"u{user}")
        town.now += GATHER
        turn = town.presence.turn(town.now)
        assert sum(len(changes) for _, changes in turn.batches) <= 20_000 * TURN_MS // 1000 + 50
        assert town.presence.due is not None
        assert town.presence.due <= town.now

    def test_a_thousand_flapping_devices_make_no_push(self) -> None:
        town = Town()
        users = [f"u{number}" for number in range(1_000)]
        for user in users:
            town.connect(user)
        for number in range(100):
            town.watch(EVE + number, *users[number : number + 500])
        for _ in range(10):
            for user in users:
                town.cut(user)
            town.later(4_000)
            for user in users:
                town.connect(user)
            town.later(1_000)
        assert town.pushes == []
        assert town.written == []
        assert len(town.presence.people) <= 1_000


class TestBlocks:
    """A blocked user sees `offline`, and nothing that tells why."""

    def test_the_blocked_one_is_told_offline_without_a_time(self) -> None:
        town = Town()
        town.blocks.add(("ann", "eve"))
        town.connect("ann")
        assert town.watch(EVE, "ann") == {"ann": ("offline", None)}
        town.cut("ann")
        assert town.later(60_000) == []

    def test_a_block_shows_at_once_and_its_end_too(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.watch(EVE + 1, "ann", watcher="bob")
        town.block("ann", "eve")
        assert [(conn, changes[0].state) for _, conn, changes in town.later(1_000)] == [
            (EVE, "offline")
        ]
        town.says("ann", "away")
        assert [conn for _, conn, _ in town.later(1_000)] == [EVE + 1]
        town.block("ann", "eve", on=False)
        assert [(conn, changes[0].state) for _, conn, changes in town.later(1_000)] == [
            (EVE, "away")
        ]

    def test_a_block_that_is_undone_before_the_push_is_not_told(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.block("ann", "eve")
        town.block("ann", "eve", on=False)
        assert town.later(1_000) == []


class Watching(RuleBasedStateMachine):
    """Against a model that keeps of each device what it last said and when its line ended."""

    USERS = st.sampled_from(["ann", "bob"])
    DEVICES = st.sampled_from(["phone", "tv"])

    def __init__(self) -> None:
        super().__init__()
        # So few a push that they pile up, and so short a linger that it often ends.
        self.town = Town(linger="2s", changes_per_watcher=2)
        self.said: dict[tuple[str, str], str] = {}
        self.ended: dict[tuple[str, str], int] = {}
        self.hid: set[str] = set()
        self.here: dict[int, str] = {}

    @initialize()
    def everybody_watches(self) -> None:
        for conn in (EVE, EVE + 1):
            for user in ("ann", "bob"):
                self.watch(conn, user)
        for user in ("ann", "bob"):
            self.connect(user, "phone")
            self.connect(user, "tv")

    def teardown(self) -> None:
        self.settle()

    @rule(user=USERS, device=DEVICES)
    def connect(self, user: str, device: str) -> None:
        self.town.connect(user, device)
        self.said[user, device] = "online"
        self.ended.pop((user, device), None)

    @precondition(lambda self: self._lines())
    @rule(which=st.integers(0, 3))
    def cut(self, which: int) -> None:
        user, device = self._lines()[which % len(self._lines())]
        self.town.cut(user, device)
        self.ended[user, device] = self.town.now

    @precondition(lambda self: self._lines())
    @rule(which=st.integers(0, 3), state=st.sampled_from(["online", "away", "invisible"]))
    def say(self, which: int, state: str) -> None:
        user, device = self._lines()[which % len(self._lines())]
        self.town.says(user, state, device)
        self.said[user, device] = state
        if state == "invisible":
            self.hid.add(user)

    def _lines(self) -> list[tuple[str, str]]:
        lines = self.town.lines
        return [(user, device) for user, devices in lines.items() for device in devices]

    @rule(conn=st.integers(EVE, EVE + 1), user=USERS)
    def watch(self, conn: int, user: str) -> None:
        watcher = ("eve", "bob")[conn - EVE]
        self.here[conn] = watcher
        self.town.watch(conn, user, watcher=watcher)

    @rule(conn=st.integers(EVE, EVE + 1), user=USERS)
    def unwatch(self, conn: int, user: str) -> None:
        self.town.unwatch(conn, user)

    @rule(conn=st.integers(EVE, EVE + 1))
    def leave(self, conn: int) -> None:
        self.town.presence.closed(conn, self.town.now)
        self.town.told.pop(conn, None)
        self.here.pop(conn, None)

    @rule(by=USERS, who=st.sampled_from(["eve", "bob"]), on=st.booleans())
    def block(self, by: str, who: str, on: bool) -> None:
        self.town.block(by, who, on=on)

    @rule(ms=st.sampled_from([1, 100, 600, 1_900, 2_100]))
    def wait(self, ms: int) -> None:
        self.town.later(ms)

    @rule()
    def settle(self) -> None:
        """In the end each watcher was told how each user is."""
        self.town.later(30_000)
        for conn, told in self.town.told.items():
            for user, change in told.items():
                state = self._state(user)
                if (user, self.here[conn]) in self.town.blocks:
                    assert (change.state, change.last_seen) == ("offline", None)
                else:
                    assert change.state == state, (conn, user)
                    self._check_last_seen(user, change.state, change.last_seen)

    def _state(self, user: str) -> str:
        said = {self.said[name, device] for name, device in self._lines() if name == user}
        if "invisible" in said or not said:
            return "offline"
        return "online" if "online" in said else "away"

    def _check_last_seen(self, user: str, state: str, last_seen: int | None) -> None:
        if state != "offline":
            assert last_seen is None
        elif user not in self.hid:
            ends = [at for (name, _), at in self.ended.items() if name == user]
            assert last_seen == (EPOCH + max(ends) if ends else None)

    @invariant()
    def pairs_are_counted(self) -> None:
        watchers = self.town.presence.watchers
        kept = sum(len(watched) for watched in self.town.told.values())
        assert watchers.pairs >= kept

    @precondition(lambda self: not self.here)
    @rule()
    def nothing_is_left_when_all_have_gone(self) -> None:
        for user, device in self._lines():
            self.town.cut(user, device)
            self.ended[user, device] = self.town.now
        self.town.later(10_000)
        presence = self.town.presence
        assert (len(presence.people), presence.watchers.pairs, presence.due) == (0, 0, None)


TestWatching = pytest.mark.unit(Watching.TestCase)
TestWatching.settings = settings(max_examples=150, stateful_step_count=60)
