"""Who is there: the linger, and what devices say of themselves."""

from __future__ import annotations

import pytest

from hivewire.presence.presence import EXPIRED_A_TURN, TURN_MS

from .town import EPOCH, Town, states

pytestmark = pytest.mark.unit

LINGER = 20_000
GATHER = 500
EVE = 1_000_000
"""The connection of a user who watches; only its number counts."""


class TestLinger:
    """A user is offline only after the linger without any device."""

    def test_a_flap_changes_nothing(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        for _ in range(100):
            town.cut("ann")
            assert town.later(LINGER - 1) == []
            town.connect("ann")
            assert town.later(3_000) == []
        assert town.written == []

    def test_offline_comes_when_the_linger_is_over_with_the_time_of_the_cut(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.now = 5_000
        town.cut("ann")
        assert town.later(LINGER - 1) == []
        assert states(town.later(100)) == [("ann", "offline")]
        assert town.told[EVE]["ann"].last_seen == EPOCH + 5_000
        assert [(e.user, e.last_seen) for e in town.written] == [("ann", EPOCH + 5_000)]

    @pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
    def test_the_jitter_adds_a_quarter_at_most(self, jitter: float) -> None:
        town = Town(jitter)
        town.connect("ann")
        town.watch(EVE, "ann")
        town.cut("ann")
        ((when, _, _),) = town.later(2 * LINGER)
        assert LINGER * (1 + jitter / 4) <= when <= LINGER * (1 + jitter / 4) + 2 * TURN_MS

    def test_nobody_who_is_not_watched_is_forgotten(self) -> None:
        town = Town()
        town.connect("ann")
        town.cut("ann")
        town.later(2 * LINGER)
        assert [(e.user, e.last_seen, e.hidden) for e in town.written] == [("ann", EPOCH, False)]
        assert len(town.presence.people) == 0
        assert town.watch(EVE, "ann") == {"ann": ("offline", EPOCH)}

    def test_one_device_that_stays_is_enough(self) -> None:
        town = Town()
        town.connect("ann", "phone")
        town.connect("ann", "tv")
        town.watch(EVE, "ann")
        town.cut("ann", "phone")
        assert town.later(2 * LINGER) == []
        assert town.written == []

    def test_each_device_lingers_as_it_was(self) -> None:
        town = Town()
        town.connect("ann", "phone")
        town.connect("ann", "tv")
        town.says("ann", "away", "tv")
        town.watch(EVE, "ann")
        town.cut("ann", "phone")
        assert town.later(LINGER - 1) == [], "the phone was online"
        assert states(town.later(1_000)) == [("ann", "away")]
        assert town.written == []

    def test_a_replaced_line_changes_nothing(self) -> None:
        town = Town()
        for _ in range(3):
            town.connect("ann")
        town.watch(EVE, "ann")
        assert town.later(2 * LINGER) == []

    def test_I2_offline_is_not_shown_before_it_is_durable(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.cut("ann")
        town.now = 2 * LINGER
        (entry,) = town.presence.turn(town.now).entries
        assert town.presence.turn(town.now + 1_000).batches == []
        assert town.watch(EVE + 1, "ann") == {"ann": ("online", None)}
        town.presence.released([entry], town.now)
        assert states(town.later(100)) == [("ann", "offline"), ("ann", "offline")]

    def test_devices_that_went_one_after_the_other_count_for_their_own_time(self) -> None:
        town = Town()
        town.connect("ann", "phone")
        town.connect("ann", "tv")
        town.says("ann", "away", "tv")
        town.watch(EVE, "ann")
        town.cut("ann", "phone")
        town.later(5_000)
        town.cut("ann", "tv")
        assert [when for when, _, _ in town.later(60_000)] == [LINGER, LINGER + 5_000 + TURN_MS]
        assert states(town.pushes) == [("ann", "away"), ("ann", "offline")]

    def test_who_goes_again_while_it_is_written_was_last_seen_then(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.cut("ann")
        town.now = LINGER
        (first,) = town.presence.turn(town.now).entries
        town.connect("ann")
        town.cut("ann")
        town.now += LINGER
        (second,) = town.presence.turn(town.now).entries
        town.presence.released([first], town.now)
        assert town.later(1_000) == []
        town.presence.released([second], town.now)
        town.later(1_000)
        assert town.told[EVE]["ann"].last_seen == EPOCH + LINGER

    def test_who_comes_back_while_it_is_written_stays_online(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.cut("ann")
        town.now = 2 * LINGER
        (entry,) = town.presence.turn(town.now).entries
        town.connect("ann")
        town.presence.released([entry], town.now)
        assert town.later(2 * LINGER) == []

    def test_I8_a_thousand_who_leave_together_are_written_in_portions(self) -> None:
        town = Town()
        for number in range(1_000):
            town.connect(f"u{number}")
            town.cut(f"u{number}")
        town.now = LINGER
        sizes = []
        while (turn := town.presence.turn(town.now)).entries:
            sizes.append(len(turn.entries))
            town.presence.released(turn.entries, town.now)
        assert sizes == [EXPIRED_A_TURN] * 5
        assert len(town.presence.people) == 0

    def test_while_the_journal_is_full_nobody_goes_offline(self) -> None:
        town = Town()
        town.connect("ann")
        town.cut("ann")
        town.now = 2 * LINGER
        assert town.presence.turn(town.now, may_write=False).entries == []
        assert town.presence.due is not None
        assert len(town.presence.turn(town.now).entries) == 1


class TestStatus:
    """The most present device shows; an invisible one hides the user."""

    def test_away_and_back(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.says("ann", "away")
        assert states(town.later(1_000)) == [("ann", "away")]
        town.says("ann", "online")
        assert states(town.later(1_000)) == [("ann", "online")]
        assert town.written == []

    def test_the_most_present_one_shows(self) -> None:
        town = Town()
        town.connect("ann", "phone")
        town.connect("ann", "tv")
        town.watch(EVE, "ann")
        town.says("ann", "away", "phone")
        assert town.later(1_000) == []
        town.says("ann", "away", "tv")
        assert states(town.later(1_000)) == [("ann", "away")]

    def test_it_ends_with_the_line(self) -> None:
        town = Town()
        town.connect("ann")
        town.says("ann", "away")
        town.watch(EVE, "ann")
        town.cut("ann")
        town.connect("ann")
        assert states(town.later(1_000)) == [("ann", "online")]

    def test_the_line_that_is_gone_counts_no_more_when_the_device_is_back(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.cut("ann")
        town.connect("ann")
        town.says("ann", "away")
        assert states(town.later(1_000)) == [("ann", "away")]

    def test_invisible_on_any_device_is_offline_since_then(self) -> None:
        town = Town()
        town.connect("ann", "phone")
        town.connect("ann", "tv")
        town.watch(EVE, "ann")
        town.now = 7_000
        town.says("ann", "invisible", "tv")
        assert states(town.later(1_000)) == [("ann", "offline")]
        assert town.told[EVE]["ann"].last_seen == EPOCH + 7_000
        assert [(e.last_seen, e.hidden) for e in town.written] == [(EPOCH + 7_000, True)]
        town.says("ann", "online", "tv")
        assert states(town.later(1_000)) == [("ann", "online")]

    def test_who_hides_and_leaves_was_last_seen_when_he_hid(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.says("ann", "invisible")
        town.later(60_000)
        town.cut("ann")
        assert town.later(60_000) == []
        assert (town.stored["ann"], town.written[-1].hidden) == (EPOCH, True)

    def test_who_hides_flaps_unseen(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.says("ann", "invisible")
        town.later(1_000)
        for _ in range(10):
            town.cut("ann")
            assert town.later(3_000) == []
            town.connect("ann")
            assert town.watch(EVE + 1, "ann") == {"ann": ("offline", EPOCH)}
            town.now += GATHER - 1
            town.says("ann", "invisible")
            assert town.later(3_000) == []

    def test_who_comes_invisible_is_not_seen_to_come(self) -> None:
        town = Town()
        town.stored["ann"] = 77
        town.watch(EVE, "ann")
        town.connect("ann")
        town.says("ann", "invisible")
        assert town.later(5_000) == []
        town.cut("ann")
        assert town.later(60_000) == []
        assert town.stored["ann"] == 77

    def test_what_was_said_with_the_last_breath_counts_for_the_linger(self) -> None:
        town = Town()
        town.connect("ann")
        town.watch(EVE, "ann")
        town.cut("ann")
        town.says("ann", "invisible")
        assert states(town.later(60_000)) == [("ann", "offline")]
        assert town.stored["ann"] == EPOCH

    def test_of_a_device_that_is_long_gone_it_counts_no_more(self) -> None:
        town = Town()
        town.says("ann", "away")
        assert len(town.presence.people) == 0

    def test_a_user_with_a_status_whom_nobody_watches_is_forgotten_in_the_end(self) -> None:
        town = Town()
        for state in ("away", "invisible"):
            town.connect("ann")
            town.says("ann", state)
            town.later(60_000)
            assert len(town.presence.people) == 1
            town.cut("ann")
            town.later(60_000)
            assert len(town.presence.people) == 0
