"""What a device's stored cursor may be, by what the device said and when it was cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.history import Ack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.history import Connect, Connected, Crash, Silent, Sync

CURSOR_SLACK_NS = 1_000_000_000
"""An ack older than this at the last word before a kill must have been written:

100 ms by contract, the rest for a busy machine.
"""


class Cursor:
    """What a device's stored cursor may be: between `low` and `high`."""

    def __init__(self) -> None:
        self.known = False
        self.durable = 0
        self.low = 0
        self.high = 0
        self.silent = 0
        self.acks: list[tuple[int, int]] = []

    def asked(self, record: Connect) -> None:
        """From here to its `connected` the cursor may or may not be the given one."""
        if record.given is not None:
            self.durable = min(self.durable, record.given)
            self.low = min(self.low, record.given)
            self.high = max(self.high, record.given)

    def acked(self, record: Ack | Sync) -> None:
        seq = record.seq if isinstance(record, Ack) else record.after
        if record.line != self.silent:
            self.acks.append((record.at, seq))
        self.high = max(self.high, seq)

    def fall_silent(self, record: Silent) -> None:
        """What is acknowledged from here on may never arrive, what was just now neither."""
        self.settle(record.at)
        self.silent = record.line

    def crash(self, crash: Crash, heard: int) -> None:
        """The node is gone; `heard` is when it said something for the last time."""
        if crash.how == "cut":
            self.low = self.durable
        else:
            self.settle(heard)
        self.acks.clear()

    def settle(self, now: int) -> None:
        """What was acknowledged long enough ago is written; the rest may be lost with the line."""
        written = [seq for at, seq in self.acks if now - at > CURSOR_SLACK_NS]
        self.low = max([self.low, *written])
        self.acks.clear()

    def connected(self, record: Connected) -> Iterator[str]:
        if record.given is None and self.known:
            self.settle(record.at)
            if not self.low <= record.cursor <= self.high:
                yield f"{record}: the cursor lies in {self.low}…{self.high}"
        if record.given is not None or not self.known:
            self.durable = record.cursor
            self.acks.clear()
            self.high = record.cursor
        self.known = True
        self.low = record.cursor
        self.high = max(self.high, record.cursor)
