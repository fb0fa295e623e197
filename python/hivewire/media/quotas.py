"""How much one user may upload: tokens that come back, of uploads and of bytes.

They exist only for those who have spent something lately. Times are monotonic milliseconds.
"""

from __future__ import annotations

from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
USERS: Final = 1000
"""With more users in memory, those who have rested are forgotten."""


class Allowance:
    """Tokens of each user, up to `burst`, `rate` more each millisecond."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._users: dict[str, tuple[float, int]] = {}

    def wait_ms(self, user: str, now: int) -> int:
        """Milliseconds until this user has a token; 0 if there is one now."""
        left = self._left(user, now)
        if not self._rate or left >= 1:
            return 0
        return int((1 - left) / self._rate) + 1

    def spend(self, user: str, count: int, now: int) -> None:
        """Take `count` tokens. What is spent below zero has to come back first."""
        if not self._rate:
            return
        if len(self._users) >= USERS:
            self._forget_rested(now)
        self._users[user] = self._left(user, now) - count, now

    def _left(self, user: str, now: int) -> float:
        left, at = self._users.get(user, (self._burst, now))
        return min(self._burst, left + (now - at) * self._rate)

    def _forget_rested(self, now: int) -> None:
        for user in [user for user in self._users if self._left(user, now) >= self._burst]:
            del self._users[user]


class Quotas:
    """What each user may upload. A bound of 0 is none."""

    def __init__(self, uploads_per_minute: int, bytes_per_hour: int) -> None:
        self._uploads = Allowance(uploads_per_minute / MINUTE_MS, 2 * uploads_per_minute)
        self._bytes = Allowance(bytes_per_hour / HOUR_MS, bytes_per_hour)

    def begin(self, user: str, now: int) -> int:
        """Take one upload. Returns 0, or the milliseconds to wait, and nothing is taken."""
        wait = max(self._uploads.wait_ms(user, now), self._bytes.wait_ms(user, now))
        if not wait:
            self._uploads.spend(user, 1, now)
        return wait

    def spend(self, user: str, count: int, now: int) -> None:
        """Take the bytes of an upload: all that came in, whether it was kept or not."""
        self._bytes.spend(user, count, now)
