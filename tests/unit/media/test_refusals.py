from __future__ import annotations

import pytest

from hivewire.media import refusals
from tests.e2e.stranger import ERROR_CODES

pytestmark = pytest.mark.unit

ALL = (
    refusals.too_large(5),
    refusals.too_many_pixels(5),
    refusals.wrong_type("text/plain"),
    refusals.empty(),
    refusals.too_often(1500),
    refusals.busy(),
    refusals.stopping(),
    refusals.full(),
    refusals.too_slow(),
)


@pytest.mark.parametrize("refused", ALL, ids=str)
def test_each_has_a_code_of_the_protocol_and_a_status_that_fits(refused: refusals.Refused) -> None:
    assert refused.code in ERROR_CODES
    assert 400 <= refused.status < 600
    assert refused.retryable == (refused.status in {429, 503})


def test_a_wait_is_told_in_whole_seconds_never_too_short() -> None:
    assert [refusals.too_often(ms).retry_after for ms in (1, 1000, 1001)] == [1, 1, 2]
