from __future__ import annotations

import pytest

from hivewire.push.backoff import MOST_MS, delay

pytestmark = pytest.mark.unit


def test_the_wait_doubles_up_to_a_bound() -> None:
    assert [delay(failures, 1000, 1.0) for failures in (1, 2, 3)] == [1000, 2000, 4000]
    assert delay(60_000, 1000, 1.0) == MOST_MS


@pytest.mark.parametrize("failures", [1, 5, 99])
def test_chance_takes_half_of_it_at_most(failures: int) -> None:
    assert delay(failures, 1000, 0.0) * 2 == delay(failures, 1000, 1.0)
