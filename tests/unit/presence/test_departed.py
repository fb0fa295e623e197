"""Users who have just gone, while there is little to remember of them."""

from __future__ import annotations

import sys

import pytest

from hivewire.presence.departed import STEP_MS, Departed
from tests.unit.presence.town import EPOCH, Town, states

pytestmark = pytest.mark.unit

LINGER = 20_000
EVE = 1_000_000


def expired(departed: Departed, now: int, limit: int = 100) -> list[str]:
    return sorted(user for user, _ in departed.expire(now, limit))


class TestDeadlines:
    """Each user comes out once, at his time, unless he is back."""

    def test_a_deadline_is_not_early_and_less_than_a_step_late(self) -> None:
        departed = Departed()
        departed.add("ann", "phone", 1_001, EPOCH)
        assert departed.due == 1_000 + STEP_MS
        assert expired(departed, 1_000 + STEP_MS - 1) == []
        assert expired(departed, 1_000 + STEP_MS) == ["ann"]
        assert (departed.due, len(departed)) == (None, 0)

    def test_the_earliest_comes_first_however_they_went(self) -> None:
        departed = Departed()
        for user, until in (("ann", 3_000), ("bob", 1_000), ("cid", 2_000)):
            departed.add(user, "phone", until, EPOCH)
        assert departed.due == 1_000
        assert expired(departed, 2_000) == ["bob", "cid"]
        assert departed.due == 3_000

    def test_who_is_back_does_not_come_out(self) -> None:
        departed = Departed()
        departed.add("ann", "phone", 1_000, EPOCH)
        departed.come_back("ann", "phone")
        assert "ann" not in departed
        assert expired(departed, 1_000) == []
        assert departed.due is None

    def test_another_device_does_not_bring_him_back(self) -> None:
        departed = Departed()
        departed.add("ann", "phone", 1_000, EPOCH)
        departed.come_back("ann", "tv")
        assert expired(departed, 1_000) == ["ann"]

    def test_who_goes_again_counts_until_the_later_time(self) -> None:
        departed = Departed()
        departed.add("ann", "phone", 1_000, EPOCH)
        departed.come_back("ann", "phone")
        departed.add("ann", "phone", 2_000, EPOCH + 1)
        assert expired(departed, 1_999) == []
        assert expired(departed, 2_000) == ["ann"]

    def test_who_goes_twice_with_one_deadline_comes_out_once(self) -> None:
        departed = Departed()
        for _ in range(2):
            departed.come_back("ann", "phone")
            departed.add("ann", "phone", 1_000, EPOCH)
        assert [user for user, _ in departed.expire(1_000, 10)] == ["ann"]

    def test_I8_a_limit_leaves_the_others_due(self) -> None:
        departed = Departed()
        for number in range(10):
            departed.add(f"u{number}", "phone", 1_000, EPOCH)
        assert len(expired(departed, 1_000, 4)) == 4
        assert (departed.due, len(departed)) == (1_000, 6)
        assert len(expired(departed, 1_000)) == 6


class TestInATown:
    """What others see is the same whether little or much is remembered."""

    def test_who_is_watched_while_he_lingers_goes_offline_in_time(self) -> None:
        town = Town()
        town.connect("ann")
        town.cut("ann")
        town.later(5_000)
        assert town.watch(EVE, "ann") == {"ann": ("online", None)}
        assert town.later(LINGER - 5_001) == []
        assert states(town.later(100)) == [("ann", "offline")]
        assert town.told[EVE]["ann"].last_seen == EPOCH

    def test_a_second_device_that_goes_lingers_for_itself(self) -> None:
        town = Town()
        town.connect("ann", "phone")
        town.connect("ann", "tv")
        town.cut("ann", "phone")
        town.later(5_000)
        town.cut("ann", "tv")
        town.later(LINGER - 100)
        assert town.written == []
        town.later(200)
        assert [(e.user, e.last_seen) for e in town.written] == [("ann", EPOCH + 5_000)]

    def test_who_has_gone_and_says_that_he_is_away_had_said_it_before(self) -> None:
        town = Town()
        town.connect("ann")
        town.cut("ann")
        town.says("ann", "away")
        assert town.watch(EVE, "ann") == {"ann": ("away", None)}

    def test_who_is_there_with_another_device_is_forgotten_in_the_end(self) -> None:
        town = Town()
        town.connect("ann", "phone")
        town.connect("ann", "tv")
        town.cut("ann", "phone")
        assert town.presence.figures()["people"] == 1
        town.later(2 * LINGER)
        assert (town.written, town.presence.figures()["people"]) == ([], 0)

    def test_at_the_end_of_the_node_it_is_written_when_he_went(self) -> None:
        town = Town()
        for user in ("ann", "bob"):
            town.connect(user)
        town.now = 7_000
        town.cut("ann")
        entries = town.presence.partings(["bob"], EPOCH + 9_000)
        assert {(e.user, e.last_seen) for e in entries} == {
            ("ann", EPOCH + 7_000),
            ("bob", EPOCH + 9_000),
        }

    def test_a_user_who_has_gone_costs_little(self) -> None:
        departed = Departed()
        departed.add("u000001", "phone", 1_000, EPOCH)
        departed.add("u000002", "phone", 1_000, EPOCH)
        (_, one), (_, other) = departed.everybody()
        assert sys.getsizeof(one) <= 48
        assert one.slot is other.slot
