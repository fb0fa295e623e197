"""How large a run is, and where its chance comes from: printed, so that a failed run can be played
again.

HIVEWIRE_TEST_SCALE multiplies the numbers of kills, cuts and resumes (1 in CI; 50 makes 10,000
resumes). HIVEWIRE_TEST_SEED replays a run: the same choices by the same clients, though not on the
same machine under them.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.history import History


def scaled(count: int) -> int:
    """`count` in CI, a multiple of it on request."""
    return max(1, round(count * float(os.environ.get("HIVEWIRE_TEST_SCALE", "1"))))


def seeded() -> random.Random:
    """Return the chance of this run; its seed goes to standard output, which pytest shows when a
    test fails.
    """
    seed = int(os.environ.get("HIVEWIRE_TEST_SEED", "0")) or random.SystemRandom().randrange(
        1, 1 << 32
    )
    print(f"replay with HIVEWIRE_TEST_SEED={seed}")  # noqa: T201 - the seed of a failing run
    return random.Random(seed)


def judge(history: History, tmp_path: Path) -> None:
    """Check a run; a broken one leaves its history beside the data."""
    from tests.chaos.history import dump
    from tests.chaos.verdict import assert_clean

    try:
        assert_clean(history)
    except AssertionError:
        dump(history, tmp_path / "history.jsonl")
        print(f"history: {tmp_path / 'history.jsonl'}")  # noqa: T201
        raise
