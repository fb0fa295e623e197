"""A user of whom there is something to remember, and a connection that watches users.

They know each other: that is all that they have to do with one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from hivewire.core.entries import PresenceEntry

ONLINE, AWAY, OFFLINE = "online", "away", "offline"
"""What others see."""
INVISIBLE = "invisible"
"""What a device may say besides online and away."""


class Change(Struct, frozen=True, gc=False):
    """A user as others see him: an item of `presence.changes`."""

    user: str
    state: str
    last_seen: int | None = None
    """When he was last there, in ms since the Unix epoch; None while he is, or if unknown."""


class Gone(Struct, frozen=True, gc=False):
    """A device whose line has ended, and that counts as it was for a while."""

    device: str
    was: str
    until: int
    """Milliseconds of the clock that only goes forward."""


NOT_SHOWN = Change("", OFFLINE)


class Person:
    """A user of whom there is something to remember.

    A device is in one of three places: connected and `online` (in none of the tables), connected
    and something else (`statuses`), or gone for less than the linger (`lingering`).
    """

    __slots__ = (
        *("armed", "dirty", "hidden_ms", "last_seen", "left_ms", "lingering", "shown"),
        *("statuses", "user", "watchers", "writing"),
    )

    def __init__(self, user: str) -> None:
        self.user = user
        self.statuses: dict[str, str] | None = None
        """Connected devices that said they are away or invisible."""
        self.lingering: tuple[Gone, ...] = ()
        self.hidden_ms: int | None = None
        """Since when (ms since the epoch) an invisible device hides him."""
        self.left_ms = 0
        """When (ms since the epoch) the last of his lines ended."""
        self.last_seen: int | None = None
        """When he was last there, as it is stored; known if he is watched and offline."""
        self.writing: PresenceEntry | None = None
        """His going offline, while it is not durable: until then it is not shown (I2)."""
        self.armed = False
        """Whether `People` has him in its heap of deadlines."""
        self.watchers: set[Watcher] | None = None
        self.shown = NOT_SHOWN
        """As those who watch him see him; of use only if there are any."""
        self.dirty = False
        """Whether he waits to be looked at again."""

    def __lt__(self, other: Person) -> bool:
        """An order for those with the same deadline."""
        return self.user < other.user

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to remember."""
        return not (
            self.armed
            or self.dirty
            or self.watchers
            or self.statuses
            or self.lingering
            or self.writing is not None
            or self.hidden_ms is not None
        )

    def is_hiding(self) -> bool:
        """Whether one of his devices is invisible, or was when it went a moment ago."""
        statuses = self.statuses
        if statuses is not None and INVISIBLE in statuses.values():
            return True
        return any(gone.was == INVISIBLE for gone in self.lingering)

    def came_back(self, device: str) -> None:
        """What a device was when its line ended counts no more."""
        if self.lingering:
            self.lingering = tuple(gone for gone in self.lingering if gone.device != device)


class Watcher:
    """A connection that watches, from its first `watch` to its end."""

    __slots__ = (
        *("asked", "asked_at", "blocked_by", "conn", "encoding", "gone", "pending", "people"),
        *("queued", "rests_until", "user"),
    )

    def __init__(self, conn: int, user: str, encoding: int) -> None:
        self.conn = conn
        self.user = user
        self.encoding = encoding
        self.people: set[Person] = set()
        self.blocked_by: frozenset[Person] = frozenset()
        """Those of `people` who have blocked its user: it sees them offline."""
        self.pending: dict[Person, Change] = {}
        """Who may look different by now, and how the watcher was told that he looks."""
        self.queued = False
        self.rests_until = 0
        """When (ms) it may be told something again."""
        self.asked = 0.0
        """Users that it has asked for lately: what the rate of asking is measured by."""
        self.asked_at = 0
        self.gone = False

    def __hash__(self) -> int:
        """So that sets of watchers are gone through in the same order in each run."""
        return self.conn

    def sees(self, person: Person) -> Change:
        """How a user looks to this watcher (protocol, section 7: a blocked one sees `offline`).

        Nothing tells being blocked from a user who was never there.
        """
        return Change(person.user, OFFLINE) if person in self.blocked_by else person.shown
