"""What a client learns of lines that forget, in virtual time: hours pass in milliseconds."""

from __future__ import annotations

import json
import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.client.adaptive import (
    MAX_NETWORKS,
    NEARLY,
    PATIENCE,
    QUIET_TIMES,
    Adaptive,
    Bounds,
)

pytestmark = pytest.mark.unit

TIMEOUT = 10.0
AROUND = 0.05
HOUR = 3600.0


class Nat:
    """A way to a server that drops a line, without a word, that was silent for `forgets` seconds.

    The server grants what is asked, between 15 s and `most`.
    """

    def __init__(self, pace: Adaptive, forgets: float, *, most: float = 300.0) -> None:
        self.pace = pace
        self.forgets = forgets
        self.most = most
        self.now = 0.0
        self.pings = 0
        self.cuts: list[float] = []
        self._last = 0.0
        self.connect(after=0.0)

    def connect(self, *, after: float) -> None:
        self.now += after
        self._last = self.now
        self.pace.connected(self.now, self.granted(), jitter=1.0)

    def granted(self) -> float:
        return min(max(self.pace.wanted, 15.0), self.most)

    def quiet(self, seconds: float) -> None:
        """So long nobody has anything to say, but for pings."""
        end = self.now + seconds
        while self.pace.next_ping() < end:
            self.now = max(self.now, self.pace.next_ping())
            self.talk()
        self.now = end

    def quiet_until_cut(self) -> None:
        cuts = len(self.cuts)
        while len(self.cuts) == cuts:
            self.now = max(self.now, self.pace.next_ping())
            self.talk()

    def talk(self) -> None:
        """Something goes out and is answered, if the line is still there."""
        self.pings += 1
        silence = self.now - self._last
        self.pace.sent(self.now)
        if silence >= self.forgets:
            self.die(silence)
        else:
            self.now += AROUND
            self.pace.heard(self.now)
            self.pace.grant(self.granted())
            self._last = self.now

    def die(self, silence: float, *, down: float = 0.3) -> None:
        self.cuts.append(silence)
        self.now += 2 * TIMEOUT
        self.pace.lost(self.now)
        self.connect(after=down)


@pytest.mark.parametrize("forgets", [28.0, 30.0, 45.0, 60.0, 80.0, 120.0, 180.0, 240.0])
def test_the_interval_ends_just_under_what_the_line_allows(forgets: float) -> None:
    nat = Nat(Adaptive(), forgets)
    nat.quiet(4 * HOUR)
    assert 0.78 * forgets <= nat.pace.interval < forgets
    assert len(nat.cuts) <= 3, "to learn a network costs at most three lines"
    settled = len(nat.cuts)
    nat.quiet(4 * HOUR)
    assert len(nat.cuts) == settled, "the line is kept alive"


def test_a_line_that_forgets_nothing_is_left_alone_for_five_minutes() -> None:
    nat = Nat(Adaptive(), math.inf)
    nat.quiet(HOUR)
    assert nat.pace.interval == 300
    before = nat.pings
    nat.quiet(10 * HOUR)
    assert nat.pings - before <= 10 * HOUR / 300 + 1
    assert nat.cuts == []


def test_nothing_longer_is_tried_before_the_interval_was_answered_several_times() -> None:
    nat = Nat(Adaptive(), math.inf)
    nat.quiet(QUIET_TIMES * (25 + AROUND) - 1)
    assert nat.pace.interval == 25
    nat.quiet(2)
    assert nat.pace.interval == 37.5


def test_another_network_that_forgets_sooner_costs_one_line() -> None:
    nat = Nat(Adaptive(), 240.0)
    nat.quiet(4 * HOUR)
    nat.forgets = 40.0
    nat.cuts.clear()
    nat.quiet_until_cut()
    assert nat.pace.interval <= 25, "it falls at once, and far"
    nat.quiet(10 * HOUR)
    assert 0.75 * 40 <= nat.pace.interval < 40
    assert len(nat.cuts) <= 4


def test_what_fails_at_the_first_interval_falls_to_the_lowest() -> None:
    nat = Nat(Adaptive(), 20.0)
    nat.quiet(HOUR)
    assert 15 <= nat.pace.interval < 20
    assert len(nat.cuts) <= 3


def test_a_known_bad_silence_is_tried_again_only_after_a_long_while() -> None:
    nat = Nat(Adaptive(), 60.0)
    nat.quiet(2 * HOUR)
    cuts, interval = len(nat.cuts), nat.pace.interval
    nat.forgets = math.inf
    nat.quiet((PATIENCE - 300) * interval)
    assert nat.pace.interval == interval
    nat.quiet(PATIENCE * interval)
    assert nat.pace.interval == 300, "the network was given another chance"
    assert len(nat.cuts) == cuts


def test_a_tunnel_teaches_nothing() -> None:
    nat = Nat(Adaptive(), math.inf)
    nat.quiet(HOUR)
    nat.now += 290
    nat.pace.sent(nat.now)
    nat.die(290, down=120)
    assert nat.pace.interval == 25, "carefully at first"
    assert json.loads(json.dumps(nat.pace.memory()))[""].get("bad") is None
    nat.quiet(HOUR)
    assert nat.pace.interval == 300


def test_a_line_lost_while_it_was_busy_teaches_nothing() -> None:
    nat = Nat(Adaptive(), math.inf)
    nat.quiet(HOUR)
    nat.talk()
    nat.now += 2
    nat.pace.sent(nat.now)
    nat.die(2)
    assert nat.pace.interval == 300


def test_an_end_without_a_question_teaches_nothing() -> None:
    nat = Nat(Adaptive(), math.inf)
    nat.quiet(HOUR)
    nat.now += 250
    nat.pace.lost(nat.now)
    nat.connect(after=0.2)
    assert nat.pace.interval == 300


def test_traffic_both_ways_postpones_the_ping_and_proves_silences() -> None:
    pace = Adaptive()
    pace.connected(100.0, 25.0)
    pace.sent(110.0)
    assert pace.next_ping() == 135.0
    pace.heard(111.0)
    assert pace.next_ping() == 135.0, "hearing is no sending: some networks count only that"
    pace.heard(134.0)
    assert pace.memory()[""]["good"] == 23.0


def test_the_first_ping_is_jittered_over_half_the_interval() -> None:
    for jitter, first in ((0.0, 12.5), (0.5, 18.75), (1.0, 25.0)):
        pace = Adaptive()
        pace.connected(0.0, 25.0, jitter)
        assert pace.next_ping() == first


def test_no_longer_than_the_server_grants_and_no_wish_beyond_it_again() -> None:
    nat = Nat(Adaptive(), math.inf, most=60.0)
    nat.quiet(HOUR)
    assert nat.pace.interval == 60
    wanted = nat.pace.wanted
    nat.quiet(HOUR)
    assert nat.pace.wanted == wanted


def test_networks_are_remembered_apart_and_survive_a_restart() -> None:
    nat = Nat(Adaptive(network="home"), math.inf)
    nat.quiet(HOUR)
    nat.pace.use("train")
    nat.forgets = 45.0
    nat.connect(after=0.0)
    assert nat.pace.interval == 25
    nat.quiet(4 * HOUR)
    train = nat.pace.interval
    again = Adaptive(json.loads(json.dumps(nat.pace.memory())), network="train")
    assert again.wanted == pytest.approx(train)
    again.use("home")
    assert again.wanted == pytest.approx(300, abs=0.1)


def test_the_network_not_used_for_longest_is_forgotten_first() -> None:
    pace = Adaptive(network="first")
    for number in range(MAX_NETWORKS):
        pace.use(f"n{number}")
    assert len(pace.memory()) == MAX_NETWORKS
    assert "first" not in pace.memory()
    assert pace.network in pace.memory()


@pytest.mark.parametrize("memory", [{"x": 1}, {"x": {"good": "long"}}, {1: {}}])
def test_a_memory_that_is_none_is_refused(memory: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        Adaptive(memory)


@given(
    st.floats(18, 400),
    st.lists(st.tuples(st.floats(0.1, 500), st.booleans()), max_size=60),
    st.integers(0, 2**32),
)
def test_the_interval_stays_between_its_bounds_and_below_what_is_known_bad(
    forgets: float, day: list[tuple[float, bool]], seed: int
) -> None:
    """Whatever a day brings: talk at odd times, tunnels, a network that changes its mind."""
    chance = random.Random(seed)
    nat = Nat(Adaptive(), forgets)
    for seconds, busy in day:
        nat.quiet(seconds)
        if busy:
            nat.talk()
        if chance.random() < 0.05:
            nat.forgets = chance.uniform(18, 400)
        if chance.random() < 0.05:
            nat.die(nat.now, down=chance.uniform(0, 60))
        known = nat.pace.memory()[""]
        assert 15 <= nat.pace.interval <= 300
        assert nat.pace.interval < known.get("bad", math.inf) or nat.pace.interval == 15
        assert known.get("good", 0) < known.get("bad", math.inf)


def test_bounds_can_be_scaled() -> None:
    pace = Adaptive(bounds=Bounds(first=0.3, lowest=0.1, highest=3.0))
    pace.connected(0.0, 15.0)
    assert pace.next_ping() == pytest.approx(0.3)
    assert 0 < NEARLY < 1
