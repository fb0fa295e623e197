"""Long polls: requests that wait for an event of their user, or in a channel.

A poll that waits is a future in a table; it is woken by the very ops that carry events to
connections, so it costs nothing while nothing happens.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from hivewire.api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Generator

    from hivewire.delivery import Op, Ops


class Poll:
    """One request that may wait. `arm`, look, and only then `wait`: nothing falls in between."""

    __slots__ = ("_bell", "_ended")

    def __init__(self) -> None:
        self._ended = False
        self._bell = asyncio.get_running_loop().create_future()

    def arm(self) -> None:
        """From now on what happens ends the next `wait`."""
        if self._bell.done():
            self._bell = asyncio.get_running_loop().create_future()

    async def wait(self, until: float) -> bool:
        """Wait for something to happen until a time of the loop. False: there is nothing more."""
        left = until - asyncio.get_running_loop().time()
        if left > 0 and not self._ended:
            await asyncio.wait((self._bell,), timeout=left)
        return self._bell.done() and not self._ended

    def ring(self) -> None:
        """Something happened."""
        if not self._bell.done():
            self._bell.set_result(None)

    def end(self) -> None:
        """Wait no more: the request is answered with what there is."""
        self._ended = True
        self.ring()


class Polls:
    """All polls of the node. Loop thread only.

    Args:
        ops: The engine's numbers.
        bound: So many at once.
        bound_user: So many of one user; the next one ends his oldest, whose client may be gone.
    """

    def __init__(self, ops: Ops, bound: int, bound_user: int) -> None:
        self._ops = ops
        self._bound = bound
        self._bound_user = bound_user
        self._by_name: dict[str, list[Poll]] = {}
        """By user, or topic of a channel: user ids have no colon, topics do."""
        self._by_user: dict[str, dict[object, Poll]] = {}
        """By user, what he polls for, the oldest first."""
        self._ended = False
        self.open = 0

    @contextlib.contextmanager
    def poll(self, user: str, what: object, *topics: str) -> Generator[Poll]:
        """A poll for events of `user` and of `topics`; it ends an older one for the same `what`.

        Raises ApiError if the node has too many.
        """
        mine = self._by_user.setdefault(user, {})
        older = mine.pop(what, None)
        if older is None and len(mine) >= self._bound_user:
            older = mine.pop(next(iter(mine)))
        if older is not None:
            older.end()
        elif self.open >= self._bound:
            self._forget(user)
            raise ApiError("unavailable", "too many polls wait", retryable=True)
        poll = Poll()
        mine[what] = poll
        if self._ended:
            poll.end()
        self.open += 1
        names = (user, *topics)
        for name in names:
            self._by_name.setdefault(name, []).append(poll)
        try:
            yield poll
        finally:
            self.open -= 1
            for name in names:
                self._remove(name, poll)
            mine = self._by_user.setdefault(user, {})
            if mine.get(what) is poll:
                del mine[what]
            self._forget(user)

    def heard(self, ops: list[Op]) -> None:
        """Wake those for whom there is an event among `ops`."""
        if not self._by_name:
            return
        event, events, publish = self._ops.event, self._ops.events, self._ops.publish
        for op in ops:
            kind = op[0]
            if kind == events:
                for user, _ in op[1]:
                    self._ring(user)
            elif kind in (event, publish):
                self._ring(op[1])

    def end_of(self, user: str) -> None:
        """A user may hear nothing more: his polls wait no longer."""
        for poll in self._by_user.get(user, {}).values():
            poll.end()

    def end(self) -> None:
        """The node goes down: nobody waits any more."""
        self._ended = True
        for polls in self._by_name.values():
            for poll in polls:
                poll.end()

    def _ring(self, name: str) -> None:
        for poll in self._by_name.get(name, ()):
            poll.ring()

    def _remove(self, name: str, poll: Poll) -> None:
        polls = self._by_name[name]
        polls.remove(poll)
        if not polls:
            del self._by_name[name]

    def _forget(self, user: str) -> None:
        if not self._by_user.get(user):
            self._by_user.pop(user, None)
