"""What a group of entries owes to the world once it is durable, in the engine's words."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import (
        ChangeEntry,
        CursorEntry,
        DeviceEntry,
        ForgetEntry,
        MarkEntry,
        RegisterEntry,
        SendEntry,
        TrimEntry,
        UnregisterEntry,
    )
    from hivewire.core.gathered import Swept
    from hivewire.core.marks import Covered
    from hivewire.core.overlay import Pending

Op = tuple[Any, ...]
"""One thing for the engine to do: a kind of `Ops`, then its fields (see the engine's stub)."""


class Ops(NamedTuple):
    """The engine's numbers for what it can be asked to do; the gateway brings them."""

    send: int
    event: int
    events: int
    push: int
    connected: int
    syncing: int
    page: int
    heartbeat: int
    refresh: int
    close: int
    subscribe: int
    unsubscribe: int
    subscribe_user: int
    unsubscribe_user: int
    publish: int
    notify: int
    pong: int
    volatile: int


class Owed:
    """The payload of one group of the journal."""

    __slots__ = (
        *("arrived", "asked", "bodies", "channels", "covered", "cursors", "entries", "events"),
        *("freed", "late", "marks", "number", "ops", "pending", "pushes", "registrations"),
        *("submitted_ns", "swept", "timed", "trims"),
    )

    def __init__(self) -> None:
        self.entries: list[SendEntry | ChangeEntry] = []
        self.bodies: list[bytes] = []
        """Their events as JSON, in the same order."""
        self.cursors: list[CursorEntry | DeviceEntry | ForgetEntry] = []
        self.marks: list[MarkEntry] = []
        self.covered: list[Covered] = []
        """Marks of which receipts tell."""
        self.pending: list[Pending] = []
        """Rows that the overlay shows until they are durable."""
        self.pushes: list[str] = []
        """Users for whom it put messages into the outbox."""
        self.registrations: list[RegisterEntry | UnregisterEntry] = []
        self.trims: list[TrimEntry] = []
        """Timelines that begin later from now on."""
        self.swept: list[Swept] = []
        """Timelines that are in rows now."""
        self.freed: tuple[bytes, bytes] | None = None
        """A range of `fanout` that nobody needs any more."""
        self.channels: set[str] = set()
        """Channels that have a new head."""
        self.ops: list[Op] = []
        """Answers and events, in the order of their entries."""
        self.number = 0
        """Of the submission of `ops`, when they are with the engine."""
        self.submitted_ns = 0
        """When they were given to it (monotonic ns)."""
        self.events = 0
        """Timeline entries that it makes."""
        self.late: list[Callable[[], None]] = []
        """Answers that show state: worked out when the group is durable, after its `ops`."""
        self.asked: defaultdict[int, int] = defaultdict(int)
        """By connection: how many commands are answered by this group."""
        self.arrived: list[tuple[int, int, int]] = []
        """When (monotonic ns) how many of its commands came in, and how many events they made."""
        self.timed = 0
        """Events of which that is known."""
