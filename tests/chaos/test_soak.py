"""`make soak` in small: a few crashes, in a company whose group may outgrow its bound. I12."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.figures import Figures
from tests.chaos.scale import judge, seeded
from tests.chaos.soak import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(120)
async def test_i12_a_short_soak_keeps_every_promise_and_counts(tmp_path: Path) -> None:
    history = await run(seeded().randrange(1 << 32), tmp_path, crashes=4)
    judge(history, tmp_path)
    figures = Figures()
    assert figures.add(history) == []
    assert figures.counts["kill"] + figures.counts["cut"] == 4
    assert figures.counts["send"] > 20
    assert "| **lost** | 0 |" in figures.table()
