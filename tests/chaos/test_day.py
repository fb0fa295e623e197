"""A small company's day in small: what `make day` plays at full length. I1 I3 I4 I5 I7 I12."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import assert_did_enough
from tests.chaos.day import Day
from tests.chaos.scale import judge, seeded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(180)
async def test_i12_a_day_of_a_small_company_loses_nothing_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    seed = seeded().randrange(1 << 32)
    history = await Day(tmp_path, seed, people=8, hour=0.9).play()
    judge(history, tmp_path)
    assert_did_enough(history, answered=150, crashes=2)
