"""When to try again after a line was lost, without any I/O."""

from __future__ import annotations

from typing import Any, Final

# Full jitter: a random wait below a bound that doubles (seconds).
FIRST_SECONDS: Final = 0.5
MOST_SECONDS: Final = 30.0
MOST_DOUBLINGS: Final = 10
# A line that lived this long was a success: the next loss starts from the first bound again.
SUCCESS_SECONDS: Final = 10.0


class Backoff:
    """Waits that keep many clients from coming back together.

    The first wait is the server's own slot (`bye.delay_ms`) if it gave one. Otherwise, and on top
    of later slots, it is random below a bound that doubles from try to try. A server that takes
    clients and throws them out at once is not hammered: only a line that lived for a while resets
    the bound.
    """

    def __init__(self) -> None:
        self._tries = 0
        self._slot: float | None = None
        self._not_before = 0.0
        self._connected_at: float | None = None

    def on_bye(self, bye: dict[str, Any]) -> None:
        """The server said goodbye, perhaps with a slot for this client."""
        self._slot = bye.get("delay_ms", 0) / 1000 if bye.get("reconnect") else None

    def on_refused(self, seconds: float) -> None:
        """The upgrade was refused, by `Retry-After`: the same for all, so jitter comes on top."""
        self._not_before = seconds

    def on_connected(self, now: float) -> None:
        """A try succeeded at `now` (seconds, any clock)."""
        self._slot = None
        self._connected_at = now

    def on_lost(self, now: float) -> None:
        """The line ended."""
        if self._connected_at is not None and now - self._connected_at >= SUCCESS_SECONDS:
            self._tries = 0
        self._connected_at = None

    def wait(self, chance: float) -> float:
        """Seconds to wait before the next try; `chance` is random, 0 to 1."""
        slot, self._slot = self._slot, None
        floor, self._not_before = self._not_before, 0.0
        tries, self._tries = self._tries, self._tries + 1
        if slot is not None and tries == 0:
            return slot
        bound = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(tries, MOST_DOUBLINGS))
        return max(slot or 0.0, floor) + bound * chance
