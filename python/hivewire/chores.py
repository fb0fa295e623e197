"""What a node does when its time has come: gathered rows and words, rested rates, old messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hivewire.clock import monotonic_ms
from hivewire.delivery.heads import GATHER_MS as HEADS_MS
from hivewire.delivery.receipts import GATHER_MS as RECEIPTS_MS
from hivewire.delivery.receipts import RIDE_MS
from hivewire.soon import Soon

if TYPE_CHECKING:
    import asyncio

    from hivewire.delivery.retention import Retention
    from hivewire.handlers import Services

FORGET_SECONDS: Final = 10.0


class Chores:
    """The timers of a node. Loop thread only.

    Args:
        loop: Where they run.
        cursor_delay_ms: How long moved cursors are gathered before they are written.
    """

    services: Services
    """Set by `bind`, before anything can be asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cursor_delay_ms: int) -> None:
        self._loop = loop
        self.cursors = Soon(loop, cursor_delay_ms, self._write_cursors)
        self.receipts = Soon(loop, RECEIPTS_MS, self._ride_receipts)
        self.rides = Soon(loop, RIDE_MS, self._tell_receipts)
        self.heads = Soon(loop, HEADS_MS, self._tell_heads)
        self._retention: Retention | None = None
        self._forget_timer: asyncio.TimerHandle | None = None
        self._retention_timer: asyncio.TimerHandle | None = None

    def bind(self, services: Services, retention: Retention) -> None:
        """Get to know what they are done with."""
        self.services = services
        self._retention = retention

    def start(self) -> None:
        """Begin with those that nobody asks for."""
        self._forget()
        if self._retention is not None and self._retention.first_ms is not None:
            self._retain_in(self._retention.first_ms)

    def stop(self) -> None:
        """None of them any more."""
        for timer in (self._forget_timer, self._retention_timer):
            if timer is not None:
                timer.cancel()
        for soon in (self.cursors, self.receipts, self.rides, self.heads):
            soon.cancel()

    def tell(self) -> None:
        """Say now what was gathered to be said soon."""
        self.services.delivery.receipts.ride()
        self._tell_receipts()
        self._tell_heads()

    def _write_cursors(self) -> None:
        delivery = self.services.delivery
        if not delivery.journal.dead:
            delivery.cursors()

    def _ride_receipts(self) -> None:
        if self.services.delivery.receipts.ride():
            self.rides()

    def _tell_receipts(self) -> None:
        self.services.delivery.tell_receipts()

    def _tell_heads(self) -> None:
        self.services.delivery.tell_heads()

    def _forget(self) -> None:
        rates = self.services.rates
        rates.now = monotonic_ms()
        rates.forget_rested()
        self._forget_timer = self._loop.call_later(FORGET_SECONDS, self._forget)

    def _retain_in(self, ms: int) -> None:
        self._retention_timer = self._loop.call_later(ms / 1000, self._retain)

    def _retain(self) -> None:
        def step() -> None:
            if self._retention is not None:
                self._retain_in(self._retention.step(self.services.now_ms))

        self.services.act(step)
