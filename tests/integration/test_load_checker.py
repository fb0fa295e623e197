"""The load suite's checker finds what it must find; its histograms and chores count right."""

from __future__ import annotations

import random
from collections import Counter
from types import SimpleNamespace

import pytest
from loadtest.fleet.chores import Chores, every
from loadtest.fleet.histogram import bucket, middle, percentile
from loadtest.fleet.ledger import Ledger, Reader
from loadtest.fleet.tally import Tally

DIRECT = "direct:ann,bob"
NEWS = "channel:news"


class Table:
    """Two readers of one ledger, and the faults found so far."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.ledger = Ledger(self.tally)
        self.ann, self.bob = Reader("ann", self.ledger), Reader("bob", self.ledger)
        for reader in (self.ann, self.bob):
            reader.belongs(DIRECT)

    def faults(self) -> dict[str, int]:
        return {
            name.removeprefix("fault "): count
            for name, count in self.tally.counts.items()
            if name.startswith("fault ")
        }


def test_the_same_for_both_is_clean() -> None:
    table = Table()
    for n in (1, 2, 3):
        for reader in (table.ann, table.bob):
            assert reader.timeline(n, DIRECT, n, f"ann-{n:06d}")
    assert table.ledger.behind() == 0
    table.ledger.close()
    assert table.faults() == {}


def test_a_member_who_never_hears_of_it_has_lost_it() -> None:
    table = Table()
    table.ann.timeline(1, DIRECT, 1, "ann-000001")
    assert table.ledger.behind() == 1
    table.ledger.close()
    assert table.faults() == {"lost": 1}


def test_a_hole_that_stays_is_lost_and_one_that_fills_is_disorder() -> None:
    table = Table()
    table.ann.timeline(2, DIRECT, 2, "bob-000002")
    assert table.ledger.behind() > 0
    table.ann.timeline(1, DIRECT, 1, "bob-000001")
    assert table.faults() == {"order": 1}
    table.bob.timeline(2, DIRECT, 2, "bob-000002")
    table.ledger.close()
    assert table.faults() == {"order": 1, "lost": 1}


def test_twice_in_the_timeline_and_twice_in_the_conversation() -> None:
    table = Table()
    table.ann.timeline(1, DIRECT, 1, "bob-000001")
    assert not table.ann.timeline(1, DIRECT, 1, "bob-000001")
    table.ann.timeline(2, DIRECT, 1, "bob-000001")
    assert table.faults() == {"twice": 2}


def test_a_row_that_was_never_written_is_a_hole_in_n() -> None:
    table = Table()
    table.ann.timeline(1, DIRECT, 1, "bob-000001")
    table.ann.timeline(2, DIRECT, 3, "bob-000003")
    assert table.faults() == {"lost": 1}


def test_two_who_see_different_things_at_one_place() -> None:
    table = Table()
    table.ann.timeline(1, DIRECT, 1, "ann-000001")
    table.bob.timeline(1, DIRECT, 1, "bob-000001")
    assert table.faults() == {"wrong": 1}


def test_a_senders_own_order() -> None:
    table = Table()
    table.ann.timeline(1, DIRECT, 1, "bob-000002")
    table.ann.timeline(2, DIRECT, 2, "bob-000001")
    assert table.faults() == {"order": 1}


def test_a_head_beyond_what_came_tells_of_a_lost_tail() -> None:
    table = Table()
    table.ann.told_head(2)
    assert table.ledger.behind() == 2
    table.ledger.close()
    assert table.faults() == {"lost": 2}


def test_an_open_channel_goes_on_where_it_was_opened() -> None:
    table = Table()
    table.ann.opened(NEWS, 5)
    assert table.ann.pushed(NEWS, 6, "bob-000001")
    assert not table.ann.pushed(NEWS, 8, "bob-000003")
    for n in (7, 8):
        assert table.ann.pushed(NEWS, n, f"bob-{n - 5:06d}")
    assert table.faults() == {}
    table.ann.pushed(NEWS, 8, "bob-000003")
    assert table.faults() == {"twice": 1}


def test_memory_of_a_long_run_stays_flat() -> None:
    table = Table()
    for n in range(1, 5001):
        for reader in (table.ann, table.bob):
            reader.timeline(n, DIRECT, n, f"ann-{n:06d}")
        if n % 500 == 0:
            table.ledger.prune()
    assert len(table.ledger.book(DIRECT).marks) < 1000
    assert table.faults() == {}


@pytest.mark.parametrize("us", [0, 1, 31, 32, 63, 64, 1000, 123_456, 10**9])
def test_a_bucket_is_within_three_percent(us: int) -> None:
    assert bucket(us) <= us
    assert abs(middle(bucket(us)) - us) <= 0.032 * us + 0.5


def test_percentiles() -> None:
    buckets = Counter(bucket(us) for us in range(1, 1001))
    assert percentile(buckets, 0.5) == pytest.approx(500, rel=0.04)
    assert percentile(buckets, 0.99) == pytest.approx(990, rel=0.04)
    assert percentile(Counter(), 0.5) == 0


def test_everybody_gets_turns_as_often_as_asked_and_who_is_away_gets_none() -> None:
    class Pair:
        @every(10)
        def talk(self, client: SimpleNamespace) -> None: ...

    here, away = SimpleNamespace(live=True), SimpleNamespace(live=False)
    chores = Chores(Pair(), random.Random(7))
    turns = Counter(
        id(client) for _ in range(2000) for _, client in chores.due([here, away], elapsed=1.0)
    )
    # Two clients over 2,000 seconds, one turn in ten each: 200 for each, none for who is away.
    assert set(turns) == {id(here)}
    assert 140 < turns[id(here)] < 260
