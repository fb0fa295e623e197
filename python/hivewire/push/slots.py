"""How many requests a host has at the same time, and who waits for his turn."""

from __future__ import annotations


class Slots:
    """Requests under way by host, and users in the order in which they came.

    Args:
        bound: Requests to one host at the same time.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._taken: dict[str, int] = {}
        self._queues: dict[str, dict[str, None]] = {}
        self.under_way = 0

    def take(self, host: str, user: str) -> bool:
        """Begin a request; False: the user is told by `release` when there is room."""
        taken = self._taken.get(host, 0)
        if taken >= self._bound:
            self._queues.setdefault(host, {})[user] = None
            return False
        self._taken[host] = taken + 1
        self.under_way += 1
        return True

    def release(self, host: str) -> str | None:
        """A request has ended. Returns the user who waited for it, if any."""
        self.under_way -= 1
        self._taken[host] -= 1
        if not self._taken[host]:
            del self._taken[host]
        return self.next(host)

    def next(self, host: str) -> str | None:
        """Who waits for a host, the first one; he is called and waits no longer."""
        queue = self._queues.get(host)
        if queue is None:
            return None
        user = next(iter(queue))
        del queue[user]
        if not queue:
            del self._queues[host]
        return user
