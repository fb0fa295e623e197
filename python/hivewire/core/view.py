"""Everything that `plan` and `apply` see: durable state from the store and what is on its way.

The caches can be dropped at any moment, save what is not durable yet: that is only here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from hivewire.core.cursors import Cursors
from hivewire.core.names import parse_direct
from hivewire.core.state import ConversationState, UserState, load_conversation, load_user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivewire.core.entries import SendEntry
    from hivewire.core.names import Target
    from hivewire.store import Store

CACHED_USERS = 8192
"""Timelines kept in memory by default; each costs about 500 bytes, one that is not, 4 µs a use."""
_EVICTION_STEPS = 64

State = TypeVar("State", UserState, ConversationState)
_NOT_READ = b""


class Users(OrderedDict[str, UserState]):
    """The timelines in memory, by user; one that is asked for and is not here is read."""

    def __init__(self, store: Store, bound: int) -> None:
        super().__init__()
        self._store = store
        self._bound = bound

    def __missing__(self, user: str) -> UserState:
        return self.load(user)

    def load(self, user: str, stored_cursor: int | None = None) -> UserState:
        """Read a timeline's state that is not here, and keep it."""
        state = load_user(self._store, user, stored_cursor)
        if len(self) >= self._bound:
            _evict(self)
        self[user] = state
        return state


class View:
    """The state of one node, for the thread that plans and applies. Loop thread only.

    Between the plan of a command and the apply of its entry nothing else may be planned.
    """

    def __init__(self, store: Store, cache_users: int = CACHED_USERS) -> None:
        self.store = store
        self.cursors = Cursors(store)
        self.pending: dict[tuple[str, str], SendEntry] = {}
        """By (user, key): what is not durable yet. Bounded by what the journal lets wait."""
        self._cache_users = cache_users
        self.users = Users(store, cache_users)
        self.routes: dict[tuple[str, str], ConversationState] = {}
        """Where a user sends to by a `to`, if that was looked up before; see `add_route`."""
        self._conversations: OrderedDict[str, ConversationState] = OrderedDict()
        self._key_rows: dict[tuple[str, str], bytes | None] = {}

    def user(self, user: str, stored_cursor: int | None = None) -> UserState:
        """The timeline of a user; a stored cursor of his makes it cheaper if it is not here."""
        if stored_cursor is not None and user not in self.users:
            return self.users.load(user, stored_cursor)
        return self.users[user]

    def conversation(self, conv: str) -> ConversationState:
        """A direct conversation by its id, which must be well-formed."""
        state = self._conversations.get(conv)
        if state is None:
            target = parse_direct(conv)
            if target is None:
                raise ValueError(f"not the id of a direct conversation: {conv!r}")
            state = self._load_conversation(target)
        return state

    def add_route(self, user: str, to: str, conv: str) -> ConversationState:
        """Remember where `user` sends to by `to`: a conversation that the user belongs to."""
        state = self.conversation(conv)
        state.routes.append((user, to))
        self.routes[user, to] = state
        return state

    def preload_keys(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Look up (user, key) of all sends of a batch at once, which halves what it costs.

        A row read here is used once, by the next plan of that key.
        """
        users = self.users
        rows = [users[name].prefix + key.encode() for name, key in pairs]
        found = self.store.multi_get(self.store.columns.keys, rows)
        self._key_rows = dict(zip(pairs, found, strict=True))

    def forget_preloaded(self) -> None:
        """Drop the rows that no plan of this turn has used.

        A command that waits is planned in a later turn, when other entries have become durable: a
        row read as absent before that would let its key be used twice (I4).
        """
        self._key_rows.clear()

    def key_row(self, user: UserState, key: str) -> bytes | None:
        """The row of a key, if it was ever used. Ask `pending` first: this may not be durable."""
        row = self._key_rows.pop((user.user, key), _NOT_READ)
        if row is _NOT_READ:
            return self.store.get(self.store.columns.keys, user.prefix + key.encode())
        return row

    def release(self, entry: SendEntry) -> None:
        """An applied entry is durable now, and all before it: heads move, its key is settled."""
        del self.pending[entry.user, entry.key]
        self._conversations[entry.conv].durable = entry.n
        users = self.users
        for member, seq in entry.members:
            users[member].durable = seq

    def _load_conversation(self, target: Target) -> ConversationState:
        state = load_conversation(self.store, target)
        if len(self._conversations) >= self._cache_users:
            for route in _evict(self._conversations):
                del self.routes[route]
        self._conversations[target.conv] = state
        return state


def _evict(cache: OrderedDict[str, State]) -> list[tuple[str, str]]:
    """Drop the oldest state that is quiet; what is on its way to the disk stays.

    Returns the routes of what was dropped. If nothing old is quiet, nothing is dropped: the cache
    then grows by what the journal lets wait.
    """
    for _ in range(min(len(cache), _EVICTION_STEPS)):
        name, state = cache.popitem(last=False)
        if state.planned == state.durable:
            return state.routes if isinstance(state, ConversationState) else []
        cache[name] = state
    return []
