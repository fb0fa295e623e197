"""Notices that the line has gone quiet, and keeps it alive (protocol.md section 8)."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final, Literal

from hivewire.client.adaptive import Adaptive, Bounds

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_UNANSWERED: Final = 2


class Silence:
    """Watches one line after the other.

    Nothing heard for `interval_ms + timeout_ms`: ping. Who drives the heartbeat also pings when
    nothing went out for the interval that `pace` says, and who asked something by a command that
    nothing has followed for `timeout_ms`. Two pings, `timeout_ms` each, without a sign of life are
    the end of the line.

    One timer, looked at when it fires; hearing and sending cost a few assignments.

    Args:
        ping: sends a ping.
        give_up: called once when the line is believed dead.
        pace: when to ping, for a client that drives; None if the server does.
    """

    def __init__(
        self,
        ping: Callable[[], None],
        give_up: Callable[[], None],
        pace: Adaptive | None = None,
    ) -> None:
        self._ping = ping
        self._give_up = give_up
        self.pace = pace
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._asked_at: float | None = None
        self._unanswered = 0
        self._quiet = 0.0
        self._timeout = 0.0
        # What the application wants of a heartbeat that learns nothing.
        self._fixed: dict[str, Any] | None = None
        self._told_ms = 0

    def follow(self, interval_ms: int | None, driver: Literal["server", "client"]) -> None:
        """From now on a heartbeat that learns nothing; None for the server's own interval."""
        self._fixed = {"from": driver}
        if interval_ms is not None:
            self._fixed["interval_ms"] = interval_ms
        self.pace = None
        if driver == "client":
            seconds = Bounds().first if interval_ms is None else interval_ms / 1000
            self.pace = Adaptive(bounds=Bounds(seconds, seconds, seconds))

    def wish(self) -> dict[str, Any] | None:
        """What `connect` and `heartbeat` ask for; None for what the server likes."""
        if self._fixed is not None:
            return self._fixed
        if self.pace is None:
            return None
        self._told_ms = round(self.pace.wanted * 1000)
        return {"interval_ms": self._told_ms, "from": "client"}

    @property
    def wishes_change(self) -> bool:
        """Whether the interval that was learnt is another than the server was told."""
        if self.pace is None or self._fixed is not None:
            return False
        return round(self.pace.wanted * 1000) != self._told_ms

    def start(self, heartbeat: dict[str, Any]) -> None:
        """Watch a line with the heartbeat that the server granted."""
        now = self._now()
        self._grant(heartbeat)
        self._heard_at = now
        self._answered()
        if self.pace is not None:
            jitter = random.random()  # noqa: S311 - it spreads pings, it hides nothing
            self.pace.connected(now, heartbeat["interval_ms"] / 1000, jitter)
        self._look()

    def regrant(self, heartbeat: dict[str, Any]) -> None:
        """Go on with another heartbeat."""
        self._grant(heartbeat)
        if self.pace is not None:
            self.pace.grant(heartbeat["interval_ms"] / 1000)
        self._look()

    def stop(self, *, lost: bool = False) -> None:
        """Watch no more; `lost`: the line has ended without a word."""
        self._disarm()
        if lost and self.pace is not None:
            self.pace.lost(self._now())

    def heard(self) -> None:
        """Something has arrived."""
        if self._timer is None:
            return  # before the line is watched, or after it was given up
        self._heard_at = now = self._now()
        self._answered()
        if self.pace is not None:
            self.pace.heard(now)

    def sent(self, *, question: bool) -> None:
        """Something goes out; after a `question` something must come in."""
        if self._timer is None:
            return
        now = self._now()
        if self.pace is not None:
            self.pace.sent(now)
        if question and self._asked_at is None:
            self._asked_at = now
            self._look_by(now + self._timeout)

    def _grant(self, heartbeat: dict[str, Any]) -> None:
        self._timeout = heartbeat["timeout_ms"] / 1000
        self._quiet = heartbeat["interval_ms"] / 1000 + self._timeout

    def _answered(self) -> None:
        self._asked_at, self._unanswered = None, 0

    def _look(self) -> None:
        """Ping, give up, or look again later."""
        now = self._now()
        due = self._due()
        if now < due:
            self._arm(due)
        elif self._unanswered < MAX_UNANSWERED:
            self._asked_at, self._unanswered = now, self._unanswered + 1
            self._ping()
            self._arm(now + self._timeout)
        else:
            self._disarm()
            self._give_up()

    def _due(self) -> float:
        """When the line needs a ping, or is given up, if nothing happens before."""
        if self._asked_at is not None:
            return self._asked_at + self._timeout
        due = self._heard_at + self._quiet
        return due if self.pace is None else min(due, self.pace.next_ping())

    def _look_by(self, when: float) -> None:
        """Look no later than `when`: mostly the timer that is there will do."""
        if self._timer is None or self._timer.when() > when:
            self._arm(when)

    def _arm(self, when: float) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_at(when, self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
