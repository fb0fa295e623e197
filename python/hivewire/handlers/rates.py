"""How often: sends of a connection and of a user, other commands and mistakes of a connection.

Token buckets that exist only for those who have spent something; `forget_rested` drops the rest,
so an idle connection costs nothing.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hivewire.config import Settings

Key = TypeVar("Key", int, str)

MINUTE_MS = 60_000
FLOOD_MS = 10_000
"""So long at more than `FLOOD_TIMES` the limit, and the connection is closed (4013)."""
FLOOD_TIMES = 3


class Verdict(Enum):
    """What a rate says to one more send."""

    GOOD = 0
    LATER = 1
    FLOOD = 2


class Bucket:
    """Tokens that come back at a steady rate. Times in milliseconds."""

    __slots__ = ("at", "refused", "since", "tokens")

    def __init__(self, tokens: float, now: int) -> None:
        self.tokens = tokens
        self.at = now
        self.since = now
        """Since when sends are refused."""
        self.refused = 0
        """How many were, since then."""


class Rates:
    """The rates of all who are active. A rate of 0 is no limit."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self._per_connection = limits.sends_per_second, limits.sends_burst
        self._per_user = limits.sends_per_second_user, limits.sends_burst_user
        self._per_query = limits.queries_per_second, limits.queries_burst
        self._bad_per_minute = limits.bad_per_minute
        self._connections: dict[int, Bucket] = {}
        self._users: dict[str, Bucket] = {}
        self._queries: dict[int, Bucket] = {}
        self._mistakes: dict[int, list[int]] = {}
        self.now = 0
        """Monotonic milliseconds, set once a turn."""
        self.unlimited = not (limits.sends_per_second or limits.sends_per_second_user)

    def send(self, conn: int, user: str) -> tuple[Verdict, int]:
        """Take one send. Returns the verdict and, if refused, the milliseconds to wait."""
        verdict, wait = self._take(self._connections, conn, *self._per_connection)
        if verdict is not Verdict.GOOD:
            return verdict, wait
        verdict, wait = self._take(self._users, user, *self._per_user)
        # Who is refused as a user may be one slow device of a busy user: never a flood.
        return (verdict if verdict is Verdict.GOOD else Verdict.LATER), wait

    def query(self, conn: int) -> tuple[Verdict, int]:
        """Take one command that is neither send nor change; the same answer as for a send."""
        return self._take(self._queries, conn, *self._per_query)

    def _take(
        self, buckets: dict[Key, Bucket], key: Key, per_second: int, burst: int
    ) -> tuple[Verdict, int]:
        if not per_second:
            return Verdict.GOOD, 0
        now = self.now
        bucket = buckets.get(key)
        if bucket is None:
            bucket = buckets[key] = Bucket(burst, now)
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * per_second / 1000)
        bucket.at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            if bucket.refused and bucket.tokens >= burst / 2:
                bucket.refused = 0
            return Verdict.GOOD, 0
        return self._refuse(bucket, per_second)

    def _refuse(self, bucket: Bucket, per_second: int) -> tuple[Verdict, int]:
        if not bucket.refused:
            bucket.since = self.now
        bucket.refused += 1
        elapsed = self.now - bucket.since
        # What was let through comes on top of what was refused: the limit itself.
        flood = bucket.refused > (FLOOD_TIMES - 1) * per_second * elapsed / 1000
        wait = int((1 - bucket.tokens) * 1000 / per_second) + 1
        return (Verdict.FLOOD if flood and elapsed >= FLOOD_MS else Verdict.LATER), wait

    def too_many_mistakes(self, conn: int) -> bool:
        """Note a mistake of a connection; whether it is the last one that is put up with."""
        now = self.now
        recent = [at for at in self._mistakes.get(conn, ()) if now - at < MINUTE_MS]
        recent.append(now)
        # A line of HTTP calls is not closed: what is remembered of it must end somewhere.
        self._mistakes[conn] = recent[-self._bad_per_minute :]
        return len(recent) >= self._bad_per_minute

    def forget(self, conn: int) -> None:
        """A connection is gone."""
        self._connections.pop(conn, None)
        self._queries.pop(conn, None)
        self._mistakes.pop(conn, None)

    def forget_rested(self) -> None:
        """Drop what would be full again by now; to be called now and then."""
        now = self.now
        for buckets, (per_second, burst) in (
            (self._connections, self._per_connection),
            (self._users, self._per_user),
            (self._queries, self._per_query),
        ):
            full_after = burst * 1000 / per_second if per_second else 0
            for key in [key for key, bucket in buckets.items() if now - bucket.at > full_after]:
                del buckets[key]  # pyright: ignore[reportArgumentType] - the keys of this very dict
        for conn in [c for c, times in self._mistakes.items() if now - times[-1] > MINUTE_MS]:
            del self._mistakes[conn]
