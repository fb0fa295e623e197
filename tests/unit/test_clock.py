"""Both clocks count milliseconds; one of them may be set back."""

from __future__ import annotations

import time

from hivewire.clock import monotonic_ms, wall_ms


def test_they_count_milliseconds() -> None:
    before = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
    seen = monotonic_ms(), wall_ms()
    after = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
    assert before[0] <= seen[0] <= after[0]
    assert before[1] <= seen[1] <= after[1]
