from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hivewire.config import load
from hivewire.handlers.rates import FLOOD_MS, MINUTE_MS, Rates, Verdict

GOOD, LATER, FLOOD = Verdict.GOOD, Verdict.LATER, Verdict.FLOOD


def rates(**limits: int) -> Rates:
    """Rates of one connection's sends; users are not limited unless asked for."""
    return Rates(load(limits={"sends_per_second_user": 0} | limits))


def burst(rates: Rates, sends: int, conn: int = 1, user: str = "ann") -> list[Verdict]:
    return [rates.send(conn, user)[0] for _ in range(sends)]


def is_empty(rates: Rates) -> bool:
    return not (rates._connections or rates._users or rates._queries or rates._mistakes)


def test_I8_a_burst_passes_and_then_the_rate_counts() -> None:
    limit = rates(sends_per_second=10, sends_burst=3)
    assert burst(limit, 4) == [GOOD, GOOD, GOOD, LATER]
    limit.now += 100
    assert burst(limit, 2) == [GOOD, LATER]


def test_who_is_refused_and_waits_as_told_passes() -> None:
    limit = rates(sends_per_second=7, sends_burst=1)
    burst(limit, 1)
    verdict, wait = limit.send(1, "ann")
    assert verdict is LATER
    limit.now += wait
    assert burst(limit, 1) == [GOOD]


def test_zero_is_no_limit_and_keeps_nothing() -> None:
    limit = rates(sends_per_second=0)
    assert limit.unlimited
    assert set(burst(limit, 1_000)) == {GOOD}
    assert is_empty(limit)


def test_I8_the_limit_of_a_user_counts_all_his_connections() -> None:
    limit = rates(sends_per_second=0, sends_per_second_user=1, sends_burst_user=2)
    assert not limit.unlimited
    assert burst(limit, 1, conn=1) + burst(limit, 2, conn=2) == [GOOD, GOOD, LATER]
    assert burst(limit, 1, conn=3, user="bob") == [GOOD]


@given(st.lists(st.integers(0, 400), max_size=200), st.integers(1, 50), st.integers(1, 20))
def test_I8_never_more_than_the_burst_and_the_rate_together(
    gaps: list[int], per_second: int, size: int
) -> None:
    limit = rates(sends_per_second=per_second, sends_burst=size)
    passed = 0
    for gap in gaps:
        limit.now += gap
        passed += burst(limit, 1) == [GOOD]
        assert passed <= size + per_second * limit.now / 1000 + 1e-6


class TestFlood:
    def paced(self, per_second: int, seconds: int) -> set[Verdict]:
        """The verdicts on so many sends a second, against a limit of 10."""
        limit = rates(sends_per_second=10, sends_burst=10)
        verdicts: set[Verdict] = set()
        for _ in range(per_second * seconds):
            verdicts |= set(burst(limit, 1))
            limit.now += 1000 // per_second
        return verdicts

    def test_I8_more_than_three_times_the_limit_for_10_s_is_one(self) -> None:
        seconds = FLOOD_MS // 1000
        assert FLOOD not in self.paced(50, seconds)
        assert FLOOD in self.paced(50, seconds + 2)

    def test_less_than_that_never_is(self) -> None:
        assert self.paced(25, 60) == {GOOD, LATER}

    def test_it_begins_anew_after_a_rest(self) -> None:
        limit = rates(sends_per_second=10, sends_burst=10)
        for _ in range(30):
            assert FLOOD not in burst(limit, 30)
            limit.now += 2_000

    def test_a_busy_user_is_never_one(self) -> None:
        limit = rates(sends_per_second=0, sends_per_second_user=1, sends_burst_user=1)
        verdicts: set[Verdict] = set()
        for _ in range(300):
            verdicts |= set(burst(limit, 1))
            limit.now += 100
        assert verdicts == {GOOD, LATER}


class TestMistakes:
    def test_I8_the_tenth_within_a_minute_is_the_last(self) -> None:
        limit = rates()
        assert [limit.too_many_mistakes(1) for _ in range(10)] == [False] * 9 + [True]
        assert not limit.too_many_mistakes(2)

    def test_older_ones_do_not_count(self) -> None:
        limit = rates(bad_per_minute=2)
        for _ in range(5):
            assert not limit.too_many_mistakes(1)
            limit.now += MINUTE_MS


class TestForgetting:
    def test_a_connection_that_is_gone_leaves_nothing(self) -> None:
        limit = rates()
        burst(limit, 1)
        limit.too_many_mistakes(1)
        limit.forget(1)
        assert is_empty(limit)
        limit.forget(1)

    def test_I8_what_has_rested_is_dropped_and_nothing_else(self) -> None:
        limit = rates(sends_burst=2, sends_per_second=1, sends_per_second_user=1)
        burst(limit, 3)
        limit.too_many_mistakes(1)
        limit.forget_rested()
        assert burst(limit, 1) == [LATER]
        limit.now += MINUTE_MS + 300_001
        limit.forget_rested()
        assert is_empty(limit)


def test_i8_questions_have_a_rate_of_their_own_that_is_forgotten_when_it_rests() -> None:
    limit = rates(queries_per_second=10, queries_burst=2, sends_burst=1)
    assert [limit.query(1)[0] for _ in range(3)] == [GOOD, GOOD, LATER]
    assert burst(limit, 1) == [GOOD]
    limit.now += 100
    assert limit.query(1)[0] is GOOD
    limit.forget(1)
    assert [limit.query(1)[0] for _ in range(2)] == [GOOD, GOOD]
    limit.now += 10_000
    limit.forget_rested()
    assert is_empty(limit)
