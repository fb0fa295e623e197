"""Durations in few buckets: microseconds in, percentiles out, 3 % exact; two can be added."""

from __future__ import annotations

from collections import Counter
from typing import Final

EXACT_BITS: Final = 5
"""Values keep this many leading bits."""

Buckets = Counter[int]
"""Lower edge of a bucket in µs → how many."""


def bucket(us: int) -> int:
    """The lower edge of the bucket in which a duration falls."""
    shift = us.bit_length() - EXACT_BITS - 1
    return us if shift <= 0 else us >> shift << shift


def middle(edge: int) -> float:
    """What stands for the values of a bucket."""
    shift = edge.bit_length() - EXACT_BITS - 1
    return float(edge) if shift <= 0 else edge + (1 << shift) / 2


def percentile(buckets: Buckets, share: float) -> float:
    """The duration in µs that `share` of all stay within; 0 when there are none."""
    wanted = share * buckets.total()
    passed = 0
    for edge in sorted(buckets):
        passed += buckets[edge]
        if passed >= wanted:
            return middle(edge)
    return 0.0
