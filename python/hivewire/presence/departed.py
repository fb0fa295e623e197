"""Users who have just gone and of whom nothing else is to be remembered, in some 150 bytes each.

When all lines are cut at once, everybody is in here until he is back or his linger is over.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STEP_MS: Final = 20
"""Deadlines are multiples of it, so that those who go together share one."""


class Slot(Struct, gc=False):
    """A deadline, and who was put there. Who is back by then has left his name behind."""

    until: int
    """Milliseconds of the clock that only goes forward."""
    users: list[str]


class Parting(Struct, frozen=True, gc=False):
    """The end of the only line of a user, whose device was online."""

    device: str
    slot: Slot
    left_ms: int
    """Milliseconds since the Unix epoch."""

    @property
    def until(self) -> int:
        """Until when the device counts, in milliseconds of the clock that only goes forward."""
        return self.slot.until


class Departed:
    """Partings by user, and by the time at which they count no longer."""

    def __init__(self) -> None:
        self._partings: dict[str, Parting] = {}
        self._slots: dict[int, Slot] = {}
        self._deadlines: list[int] = []
        """A heap of the keys of `_slots`."""

    def __len__(self) -> int:
        return len(self._partings)

    def __contains__(self, user: str) -> bool:
        return user in self._partings

    @property
    def due(self) -> int | None:
        """When `expire` has something to do next."""
        return self._deadlines[0] if self._deadlines else None

    def everybody(self) -> Iterable[tuple[str, Parting]]:
        """All users with their partings."""
        return self._partings.items()

    def add(self, user: str, device: str, until: int, left_ms: int) -> None:
        """A user who is not in here has gone; he counts until `until` or up to `STEP_MS` longer."""
        until += -until % STEP_MS
        slot = self._slots.get(until)
        if slot is None:
            slot = self._slots[until] = Slot(until, [])
            heappush(self._deadlines, until)
        slot.users.append(user)
        self._partings[user] = Parting(device, slot, left_ms)

    def come_back(self, user: str, device: str) -> None:
        """A device has a line again; if it is the one that went, that counts no more."""
        parting = self._partings.get(user)
        if parting is not None and parting.device == device:
            del self._partings[user]

    def take(self, user: str) -> Parting | None:
        """What is known of a user, who is not in here any more."""
        return self._partings.pop(user, None)

    def expire(self, now: int, limit: int) -> Iterator[tuple[str, Parting]]:
        """At most `limit` users who count no longer; they are not in here any more."""
        while limit > 0 and self._deadlines and self._deadlines[0] <= now:
            slot = self._slots[self._deadlines[0]]
            while limit > 0 and slot.users:
                user = slot.users.pop()
                parting = self._partings.get(user)
                # He may have come back, and gone again with a later deadline.
                if parting is not None and parting.slot is slot:
                    del self._partings[user]
                    limit -= 1
                    yield user, parting
            if not slot.users:
                del self._slots[heappop(self._deadlines)]
