"""What is known in memory of one timeline and of one conversation: caches, droppable when quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.names import Target
    from hivewire.store import Store


class UserState:
    """The timeline of one user.

    `planned` counts entries that are not durable yet, `durable` does not: only that may be told.
    """

    __slots__ = ("durable", "floor", "planned", "prefix", "user")

    def __init__(self, user: str, prefix: bytes, head: int, floor: int) -> None:
        self.user = user
        self.prefix = prefix
        """What this user's keys in all column families start with."""
        self.planned = head
        self.durable = head
        self.floor = floor
        """The oldest `seq` still there (`trimmed_before`); 1 if nothing was trimmed."""


class ConversationState:
    """The log of one conversation; `planned` and `durable` as in a timeline."""

    __slots__ = ("conv", "durable", "members", "planned", "prefix", "routes")

    def __init__(self, target: Target, prefix: bytes, head: int) -> None:
        self.conv = target.conv
        self.members = target.members
        """The users into whose timelines it goes, in byte order."""
        self.prefix = prefix
        """What this conversation's keys in all column families start with."""
        self.planned = head
        self.durable = head
        self.routes: list[tuple[str, str]] = []
        """Under which (user, `to`) a `View` finds it."""


def load_user(store: Store, user: str, stored_cursor: int | None = None) -> UserState:
    """Read one user's heads.

    Args:
        store: Where they are.
        user: A well-formed user id.
        stored_cursor: The cursor of one of the user's devices, as stored. A cursor is never above
            the head and a timeline has no holes (I3), so if the row behind it is absent the cursor
            is the head, and a point look-up replaces a seek of five times the cost.
    """
    columns = store.columns
    prefix = keys.prefix(user)
    row = store.get(columns.marks, prefix)
    floor = 1 if row is None else keys.parse_floor_value(row)
    if stored_cursor is not None and stored_cursor + 1 >= floor:
        behind = prefix + keys.position(stored_cursor + 1)
        if store.get(columns.timeline, behind) is None:
            return UserState(user, prefix, stored_cursor, floor)
    last = store.last(columns.timeline, prefix)
    head = floor - 1 if last is None else keys.position_of(last[0])
    return UserState(user, prefix, head, floor)


def load_conversation(store: Store, target: Target) -> ConversationState:
    """Read one conversation's head."""
    prefix = keys.prefix(target.conv)
    last = store.last(store.columns.messages, prefix)
    return ConversationState(target, prefix, 0 if last is None else keys.position_of(last[0]))
