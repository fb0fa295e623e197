"""When a push that failed is tried again."""

from __future__ import annotations

from typing import Final

MOST_MS: Final = 600_000
MOST_DOUBLINGS: Final = 20


def delay(failures: int, first_ms: int, chance: float) -> int:
    """The wait after so many failures (1, 2 …), ms: doubled each time, cut by half at random.

    Args:
        failures: How often it has failed.
        first_ms: The longest wait after the first failure.
        chance: Random, from 0 to 1.
    """
    longest = min(MOST_MS, first_ms << min(failures - 1, MOST_DOUBLINGS))
    return int(longest * (0.5 + chance / 2))
