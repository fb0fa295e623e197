"""Waits between tries: a slot first, then full jitter below a bound that doubles."""

from __future__ import annotations

import pytest

from hivewire.client.backoff import FIRST_SECONDS, MOST_SECONDS, SUCCESS_SECONDS, Backoff

pytestmark = pytest.mark.unit


def bye(delay_ms: int, *, reconnect: bool = True) -> dict[str, object]:
    return {"op": "bye", "code": 4000, "reconnect": reconnect, "delay_ms": delay_ms}


def test_the_bound_doubles_up_to_its_most() -> None:
    backoff = Backoff()
    waits = [backoff.wait(1.0) for _ in range(9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert max(Backoff().wait(0.0) for _ in range(5)) == 0, "the whole range, from nothing on"


def test_the_servers_slot_comes_first_and_counts_once() -> None:
    backoff = Backoff()
    backoff.on_bye(bye(7_000))
    assert backoff.wait(1.0) == 7
    assert backoff.wait(1.0) == 2 * FIRST_SECONDS


def test_a_slot_given_again_and_again_does_not_stop_the_backing_off() -> None:
    backoff = Backoff()
    waits: list[float] = []
    for _ in range(4):
        backoff.on_bye(bye(0))
        waits.append(backoff.wait(1.0))
    assert waits == [0, 1, 2, 4]


def test_a_bye_that_says_not_to_come_back_gives_no_slot() -> None:
    backoff = Backoff()
    backoff.on_bye(bye(7_000, reconnect=False))
    assert backoff.wait(1.0) == FIRST_SECONDS


def test_only_a_line_that_lived_starts_over() -> None:
    backoff = Backoff()
    for _ in range(20):
        backoff.wait(1.0)
    backoff.on_connected(100.0)
    backoff.on_lost(100.0 + SUCCESS_SECONDS / 2)
    assert backoff.wait(1.0) == MOST_SECONDS
    backoff.on_connected(200.0)
    backoff.on_lost(200.0 + SUCCESS_SECONDS)
    assert backoff.wait(1.0) == FIRST_SECONDS


def test_what_a_503_asks_for_is_the_least_and_jitter_comes_on_top() -> None:
    backoff = Backoff()
    backoff.on_refused(5)
    assert backoff.wait(1.0) == 5 + FIRST_SECONDS
    backoff.on_refused(5)
    backoff.on_bye(bye(7_000))
    assert backoff.wait(0.0) == 7
    assert backoff.wait(0.0) == 0
