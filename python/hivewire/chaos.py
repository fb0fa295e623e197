"""Marked points where a test may kill this process, to prove what a crash right there leaves.

`HIVEWIRE_CHAOS=before-sync` kills with SIGKILL when that point is reached for the first time,
`HIVEWIRE_CHAOS_AFTER=n` when it is reached for the n-th. Unset, `reach` is None and a marked
point costs one comparison:

    if chaos.reach is not None:
        chaos.reach("before-sync")
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def from_environment(environment: Mapping[str, str]) -> Callable[[str], None] | None:
    """The function to call at marked points, or None when no point is armed."""
    armed = environment.get("HIVEWIRE_CHAOS")
    if not armed:
        return None
    remaining = int(environment.get("HIVEWIRE_CHAOS_AFTER", "1"))

    def reach_point(point: str) -> None:
        nonlocal remaining
        if point != armed:
            return
        remaining -= 1
        if remaining <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach_point


reach = from_environment(os.environ)
