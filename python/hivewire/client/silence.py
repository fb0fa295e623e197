"""Notices that the server has gone quiet (protocol.md section 8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_UNANSWERED: Final = 2


class Silence:
    """Watches one line after the other.

    Nothing heard for `interval_ms + timeout_ms`: ping. Two pings, `timeout_ms` each, unanswered:
    the line is dead. One timer, looked at when it fires; hearing something costs an assignment.

    Args:
        ping: sends a ping.
        give_up: called once when the line is believed dead.
    """

    def __init__(self, ping: Callable[[], None], give_up: Callable[[], None]) -> None:
        self._ping = ping
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._unanswered = 0
        self._quiet = 0.0
        self._timeout = 0.0

    def start(self, heartbeat: dict[str, Any]) -> None:
        """Watch a line with the heartbeat that the server granted."""
        self._timeout = heartbeat["timeout_ms"] / 1000
        self._quiet = heartbeat["interval_ms"] / 1000 + self._timeout
        self.heard()
        self._arm(self._quiet)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def heard(self) -> None:
        """Something has arrived."""
        self._last = asyncio.get_running_loop().time()
        self._unanswered = 0

    def _arm(self, seconds: float) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        quiet = asyncio.get_running_loop().time() - self._last
        if self._unanswered == 0 and quiet < self._quiet:
            self._arm(self._quiet - quiet)
        elif self._unanswered < MAX_UNANSWERED:
            self._unanswered += 1
            self._ping()
            self._arm(self._timeout)
        else:
            self._give_up()
