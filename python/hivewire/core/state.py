"""What is known in memory of one timeline and of one conversation: caches, droppable when quiet.

`planned` counts what is not durable yet, `durable` does not: only that may be told.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING

from hivewire.core.names import parse_direct
from hivewire.store import keys
from hivewire.store.timelines import end_of, length, reference_start

if TYPE_CHECKING:
    from hivewire.core.names import Target
    from hivewire.store import Store

RECENT_EVENTS = 64
"""Events of a timeline that are remembered, so that an ack finds without reading what it covers."""
RECENT_MOST = 96
"""So many before the oldest are forgotten, which is cheaper for some at once."""
_ROWS_AT_A_TIME = 512


Place = tuple[str, int, str]
"""A durable event as acks and receipts need it: conversation, `n`, author. One for all timelines
that it stands in; a plain tuple is made in half the time."""


class _Spoken:
    """Of a timeline what each event touches.

    Slots of a base come first, so these lie together: with thousands of timelines each line of the
    processor's cache that one takes is a miss.
    """

    __slots__ = ("durable", "planned", "prefix", "recent", "rows", "tail")


class UserState(_Spoken):
    """The timeline of one user."""

    __slots__ = (
        *("channels", "delivered", "floor", "owes_since", "planned_floor", "pushed"),
        *("registering", "sweeping", "tail_first", "user"),
    )

    def __init__(self, user: str, prefix: bytes, head: int, row: keys.UserRow) -> None:
        self.user = user
        self.prefix = prefix
        """What this user's keys in all column families start with."""
        self.planned = head
        self.durable = head
        self.floor = row.floor
        """The oldest `seq` still there (`trimmed_before`); 1 if nothing was trimmed."""
        self.planned_floor = row.floor
        self.channels = row.channels
        """Channels that the user is in, as planned."""
        self.pushed = row.pushed
        """Devices that are registered for pushes, as planned."""
        self.registering = 0
        """Changes of that on their way to the disk."""
        self.delivered = 0
        """Up to here acks of any device have moved the marks, as far as this process knows."""
        self.rows = head
        """Up to here the timeline is in rows of its own; what is behind is gathered."""
        self.owes_since = 0
        """What `Gathered` had counted when the first of that was gathered."""
        self.sweeping = 0
        """Up to here rows were put in a group that is not durable yet; 0: in none."""
        self.tail: list[bytes] | None = None
        """The packed references from `tail_first` to `planned`: all that is in no durable row."""
        self.tail_first = 0
        self.recent: list[Place] | None = None
        """The last durable events, without a gap: the last one is `durable`. None, some hundred
        bytes less, as long as there was none in this process."""

    def remember(self, seq: int, place: Place) -> None:
        """The next event is durable."""
        self.durable = seq
        recent = self.recent
        if recent is None:
            self.recent = [place]
            return
        recent.append(place)
        if len(recent) > RECENT_MOST:
            del recent[:-RECENT_EVENTS]

    def row(self) -> bytes:
        """The user's own row in `marks`."""
        return keys.user_value(self.planned_floor, self.channels, self.pushed)

    @property
    def is_quiet(self) -> bool:
        """Whether all that is known here is durable in rows, so that it may be forgotten."""
        return (
            self.planned == self.durable == self.rows
            and self.planned_floor == self.floor
            and not self.sweeping
            and not self.registering
        )


class ConversationState:
    """One conversation: what it is, who is in it, and how far its log goes, as planned."""

    __slots__ = (
        *("conv", "created", "durable", "history", "kind", "members", "name", "planned"),
        *("prefix", "reference", "refused", "roles", "routes", "size"),
    )

    def __init__(self, conv: str, prefix: bytes, row: keys.ConversationRow, head: int) -> None:
        self.conv = conv
        self.prefix = prefix
        """What this conversation's keys in all column families start with."""
        self.reference = reference_start(keys.TYPE_MESSAGE, prefix)
        """What packed references to its messages start with; `n` follows."""
        self.kind = row.kind
        self.created = row.created
        self.history = row.history
        self.size = row.size
        """Members."""
        self.name = row.name
        self.members: tuple[str, ...] = ()
        """The users into whose timelines it goes; empty for a channel."""
        self.roles: dict[str, keys.MemberRow] = {}
        """The members of a group. Those of a channel are read one by one."""
        self.refused: frozenset[str] = frozenset()
        """Of a direct conversation: who is blocked by the other side."""
        self.planned = head
        self.durable = head
        self.routes: list[tuple[str, str]] = []
        """Under which (user, `to`) a `View` finds it."""

    @property
    def is_channel(self) -> bool:
        """Whether it is read from its log instead of from timelines."""
        return self.kind == keys.KIND_CHANNEL

    @property
    def is_quiet(self) -> bool:
        """Whether all that is known here is durable, so that it may be forgotten."""
        return self.planned == self.durable


def load_user(store: Store, user: str, stored_cursor: int | None = None) -> UserState:
    """Read one user's heads.

    Args:
        store: Where they are.
        user: A well-formed user id.
        stored_cursor: The cursor of one of the user's devices, as stored. A cursor is never above
            the head and a timeline has no holes (I3), so if it ends its row and there is no next
            one, it is the head, and two look-ups replace a seek of twice the cost.
    """
    columns = store.columns
    prefix = keys.prefix(user)
    value = store.get(columns.marks, prefix)
    row = keys.NO_USER_ROW if value is None else keys.parse_user_value(value)
    if stored_cursor is not None and stored_cursor + 1 >= row.floor:
        behind = prefix + keys.position(stored_cursor + 1)
        if stored_cursor < row.floor:
            is_end = store.get(columns.timeline, behind) is None
        else:
            at = prefix + keys.position(stored_cursor)
            before, after = store.multi_get(columns.timeline, [at, behind])
            # A row at the cursor that holds it alone ends there; one that began before may not.
            is_end = after is None and before is not None and length(before) == 1
        if is_end:
            return UserState(user, prefix, stored_cursor, row)
    last = store.last(columns.timeline, prefix)
    return UserState(user, prefix, row.floor - 1 if last is None else end_of(last), row)


def load_conversation(store: Store, conv: str) -> ConversationState | None:
    """Read one conversation; None if there is none. A direct one needs no row to be there."""
    prefix = keys.prefix(conv)
    direct = parse_direct(conv)
    if direct is not None:
        return _load_direct(store, direct, prefix)
    value = store.get(store.columns.conversations, prefix)
    if value is None:
        return None
    row = keys.parse_conversation_value(value)
    state = ConversationState(conv, prefix, row, _head(store, prefix))
    if not state.is_channel:
        state.roles = load_members(store, prefix)
        state.members = tuple(state.roles)
    return state


def _load_direct(store: Store, target: Target, prefix: bytes) -> ConversationState:
    row = keys.ConversationRow(keys.KIND_DIRECT, 0, keys.HISTORY_ALL, len(target.members), "")
    state = ConversationState(target.conv, prefix, row, _head(store, prefix))
    state.members = tuple(map(intern, target.members))
    return state


def block_row(user: str, other: str) -> bytes:
    """The key in `members` of a row that says that `user` blocks `other`."""
    return keys.prefix(user) + keys.BLOCK_SUFFIX + other.encode()


def load_members(store: Store, prefix: bytes) -> dict[str, keys.MemberRow]:
    """All members of a conversation, in byte order of their ids."""
    found: dict[str, keys.MemberRow] = {}
    start, end = prefix, keys.range_end(prefix)
    while rows := store.scan(store.columns.members, start, end, _ROWS_AT_A_TIME):
        for key, value in rows:
            found[intern(key[len(prefix) :].decode())] = keys.parse_member_value(value)
        start = rows[-1][0] + b"\0"
    return found


def _head(store: Store, prefix: bytes) -> int:
    last = store.last(store.columns.messages, prefix)
    return 0 if last is None else keys.position_of(last[0])
