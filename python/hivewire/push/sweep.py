"""A walk through the outbox: who has pushes on their way, and what is kept for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from hivewire.core.entries import OutboxEntry
from hivewire.store import pushes

if TYPE_CHECKING:
    from hivewire.store import Store

ROWS_A_STEP: Final = 256
"""Rows in one step: 2 µs each."""
STEP_MS: Final = 10
PASS_MS: Final = 3_600_000
"""From one walk to the next."""
CROWDED_MS: Final = 1_000
"""The same, while there are users for whom there was no room in memory."""


class Step(NamedTuple):
    """What some rows of the outbox are."""

    users: dict[str, None]
    """Users with pushes on their way, each once."""
    entry: OutboxEntry | None
    """Deletes what is kept for too long."""
    following: bytes | None
    """Where the next step begins; None at the end."""


def sweep(store: Store, start: bytes, now: int, keep: int) -> Step:
    """Look at the first rows from the key `start` on. Times are ms."""
    rows = store.scan(store.columns.outbox, start, None, ROWS_A_STEP)
    users: dict[str, None] = {}
    gone: list[bytes] = []
    for key, value in rows:
        place = pushes.split_outbox_key(key)
        if place.kind == "dead":
            old = pushes.parse_dead(value).died
        elif place.kind == "shown":
            old = pushes.parse_shown(value).ts
        else:
            users[place.user] = None
            continue
        if old + keep <= now:
            gone.append(key)
    entry = OutboxEntry(tuple(gone), ()) if gone else None
    following = rows[-1][0] + b"\0" if len(rows) == ROWS_A_STEP else None
    return Step(users, entry, following)
