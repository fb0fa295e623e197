"""The marked points at which a test may kill a node (see `hivewire.chaos`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

POINTS = (
    "before-write",
    "before-sync",
    "after-sync",
    "before-answer",
    "mid-fanout",
    "cursor",
)


def visits_before(rng: random.Random, point: str) -> int:
    """How often a point is passed before the kill; cursors are written ten times a second only."""
    return rng.randint(3, 10) if point == "cursor" else rng.randint(20, 60)


def chaos_at(point: str, after: int) -> dict[str, str]:
    """The environment of a node that is killed when it comes to a point for the `after`-th time."""
    return {"HIVEWIRE_CHAOS": point, "HIVEWIRE_CHAOS_AFTER": str(after)}
