from __future__ import annotations

import pytest

from hivewire.media.quotas import HOUR_MS, MINUTE_MS, USERS, Allowance, Quotas

pytestmark = pytest.mark.unit


def test_a_burst_then_a_steady_rate() -> None:
    quotas = Quotas(2, 0)
    assert [quotas.begin("ann", 0) for _ in range(4)] == [0, 0, 0, 0]
    wait = quotas.begin("ann", 0)
    assert MINUTE_MS / 2 <= wait <= MINUTE_MS / 2 + 1
    assert quotas.begin("bob", 0) == 0, "each user has his own"
    assert quotas.begin("ann", wait) == 0
    assert quotas.begin("ann", wait) > 0


def test_bytes_that_were_too_many_have_to_come_back_first() -> None:
    quotas = Quotas(0, 1000)
    assert quotas.begin("ann", 0) == 0
    quotas.spend("ann", 3000, 0)
    wait = quotas.begin("ann", 0)
    assert 2 * HOUR_MS <= wait <= 2.1 * HOUR_MS
    assert quotas.begin("ann", wait) == 0


def test_a_bound_of_zero_is_none() -> None:
    quotas = Quotas(0, 0)
    quotas.spend("ann", 1 << 40, 0)
    assert [quotas.begin("ann", 0) for _ in range(100)] == [0] * 100


def test_who_has_rested_is_forgotten() -> None:
    allowance = Allowance(1, 10)
    for number in range(USERS):
        allowance.spend(f"u{number}", 1, 0)
    allowance.spend("ann", 1, 1)
    assert len(allowance._users) == 1
