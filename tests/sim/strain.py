"""No bug but a strain: caches, steps and groups of the product so small that a run fills them all.

What is kept in memory must never show. So many rows fit into it otherwise that a simulated day
would not turn one of them out.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hivewire import app
from hivewire.core import unread
from hivewire.core.newest import Newest
from hivewire.core.view import View

if TYPE_CHECKING:
    import pytest

SMALL = {
    "CHUNK": 4,
    "KEPT_COUNTS": 32,
    "KEPT": 8,
    "_READ_DIRECTLY": 0,
    "TAIL_EVENTS": 3,
    "RECENT_EVENTS": 2,
    "RECENT_MOST": 3,
    "_LOOK_AHEAD": 2,
    "_ROWS_AT_A_TIME": 2,
    "GROUP_ENTRIES": 3,
    "CURSORS_AT_ONCE": 1,
    "MANY": 2,
    "RUN": 4,
    "WITHIN": 3,
    "_FREED_AT_ONCE": 3,
}
"""Constants by the name that they have in whichever module of the core, store or delivery."""
DEFAULTS = (
    (unread.Budget.__init__, (6,)),
    (Newest.__init__, (8,)),
)
"""Bounds that are arguments: what they are if nothing is said."""
ROOMS = ("hivewire.core.", "hivewire.store.", "hivewire.delivery.")


def small_bounds(patch: pytest.MonkeyPatch) -> None:
    """Make them all small until the test ends."""
    for name, module in list(sys.modules.items()):
        for constant, small in SMALL.items() if name.startswith(ROOMS) else ():
            if isinstance(vars(module).get(constant), int):
                patch.setattr(module, constant, small)
    for function, defaults in DEFAULTS:
        patch.setattr(function, "__defaults__", defaults)
    # Users, bytes of history, events of unread counts.
    patch.setattr(app, "View", lambda store, *_: View(store, 2, 3_000, 8))
