"""Trims timelines and forgets devices, in steps so small that nobody notices.

A pass looks at all timelines, then at all devices, and rests. It writes through the journal as
everything else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.entries import CursorEntry
from hivewire.core.retention import find_old_devices, find_old_timelines

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import ForgetEntry
    from hivewire.delivery.delivery import Delivery

STEP_MS = 20
"""Between two steps: with a millisecond each, a pass takes a twentieth of the loop."""
FIRST_MS = 60_000
"""From the start of the node to its first pass, unless passes are more frequent."""


class Retention:
    """The passes of one node. Loop thread only.

    Args:
        delivery: Carries out what is found.
        retention_ms: How long events and devices are kept; 0 for ever.
        pass_ms: From the end of one pass to the beginning of the next.
        is_here: Whether a user's device is connected, or about to be.
    """

    def __init__(
        self,
        delivery: Delivery,
        retention_ms: int,
        pass_ms: int,
        is_here: Callable[[str, str], bool],
    ) -> None:
        self._delivery = delivery
        self._retention_ms = retention_ms
        self._pass_ms = pass_ms
        self._is_here = is_here
        self._timelines: bytes | None = b""
        """Where the pass is among the timelines; None when it is through with them."""
        self._devices = b""

    @property
    def first_ms(self) -> int | None:
        """When the first step is due after the start; None if everything is kept."""
        return min(FIRST_MS, self._pass_ms) if self._retention_ms else None

    @property
    def place(self) -> tuple[bytes | None, bytes]:
        """Where the pass is, for one that goes on with it."""
        return self._timelines, self._devices

    @place.setter
    def place(self, place: tuple[bytes | None, bytes]) -> None:
        self._timelines, self._devices = place

    def step(self, now_ms: int) -> int:
        """Look at a few more rows. Returns the milliseconds to the next step."""
        if self._delivery.journal.is_full:
            return STEP_MS
        before_ms = now_ms - self._retention_ms
        if self._timelines is not None:
            self._timelines = self._trim(self._timelines, before_ms)
            return STEP_MS
        following = self._forget(self._devices, before_ms, now_ms)
        if following is not None:
            self._devices = following
            return STEP_MS
        self._timelines, self._devices = b"", b""
        return self._pass_ms

    def _trim(self, start: bytes, before_ms: int) -> bytes | None:
        found = find_old_timelines(self._delivery.view, start, before_ms)
        for entry in found.trims:
            self._delivery.trim(entry)
        for entry in found.left:
            self._delivery.drop_trimmed(entry)
        return found.following

    def _forget(self, start: bytes, before_ms: int, now_ms: int) -> bytes | None:
        found = find_old_devices(self._delivery.view.store, start, before_ms)
        for entry in found.silent:
            self._judge(entry, now_ms)
        if self._delivery.view.cursors.dirty:
            self._delivery.cursors()
        return found.following

    def _judge(self, entry: ForgetEntry, now_ms: int) -> None:
        """A device that is here is heard of, even if it had nothing to acknowledge."""
        cursors, user, device = self._delivery.view.cursors, entry.user, entry.device
        if not cursors.is_resting(user, device):
            return
        if not self._is_here(user, device):
            self._delivery.forget(entry)
            return
        row = cursors.load_row(user, device)
        if row is not None:
            cursors.note(CursorEntry(user, device, row.cursor, now_ms, row.cursor))
