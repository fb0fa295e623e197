"""Everything that `plan` and `apply` see: durable state from the store and what is on its way.

The caches can be dropped at any moment, save what is not durable yet: that is only here.
"""

from __future__ import annotations

from collections import OrderedDict
from sys import intern
from typing import TYPE_CHECKING, TypeVar

from hivewire.core.cursors import Cursors
from hivewire.core.entries import Rewrite, SendEntry, SetReaction, SetState
from hivewire.core.gathered import Gathered
from hivewire.core.marks import Marks
from hivewire.core.names import direct
from hivewire.core.newest import Newest
from hivewire.core.overlay import Overlay
from hivewire.core.state import (
    RECENT_EVENTS,
    RECENT_MOST,
    ConversationState,
    UserState,
    block_row,
    load_conversation,
    load_user,
)
from hivewire.core.tails import TAIL_BYTES, Tails
from hivewire.core.unread import KEPT_EVENTS, Unread
from hivewire.store import StoreCorrupt, keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hivewire.core.entries import (
        ChangeEntry,
        RegisterEntry,
        TrimEntry,
        UnregisterEntry,
    )
    from hivewire.core.state import Place
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
        # Members of conversations are the same objects: to find one compares no characters.
        user = intern(user)
        state = load_user(self._store, user, stored_cursor)
        if len(self) >= self._bound:
            _evict(self)
        self[user] = state
        return state


class View:
    """The state of one node, for the thread that plans and applies. Loop thread only.

    Between the plan of a command and the apply of its entry nothing else may be planned.
    """

    def __init__(
        self,
        store: Store,
        cache_users: int = CACHED_USERS,
        cache_history: int = TAIL_BYTES,
        cache_unread: int = KEPT_EVENTS,
    ) -> None:
        self.store = store
        self.users = Users(store, cache_users)
        # Of twice as many devices and members as timelines are cached at rest, like `gathered`.
        self.cursors = Cursors(store, 2 * cache_users, lambda user: self.users[user].prefix)
        self.marks = Marks(store, 2 * cache_users)
        self.overlay = Overlay(store)
        """Rows of changes that are on their way to the disk."""
        self.pending: dict[tuple[str, str], SendEntry | ChangeEntry] = {}
        """By (user, key): what is not durable yet. Bounded by what the journal lets wait."""
        self.speaking: dict[tuple[str, int], list[UserState]] = {}
        """By (conversation, n) of a large message that is not durable yet: the timelines that it
        stands in. They stay in memory until it is, so nobody need look for them again."""
        self.tails = Tails(store, cache_history)
        """The newest events of conversations that are read."""
        self.unread = Unread(store, cache_unread)
        self.newest = Newest(store)
        """The newest event of each conversation that was listed."""
        self.pushes = False
        """Whether this node pushes: only then messages are put into the outbox."""
        self.to_push: list[str] = []
        """Users for whom an apply has put something there, until its caller takes them."""
        self._cache_users = cache_users
        self.gathered = Gathered(store, self.users, 2 * cache_users)
        """References that wait to make a run: of twice as many timelines as are cached at rest."""
        self.routes: dict[tuple[str, str], ConversationState] = {}
        """Where a user sends to by a `to`, if that was looked up before; see `add_route`."""
        self._conversations: OrderedDict[str, ConversationState] = OrderedDict()
        self._key_rows: dict[tuple[str, str], bytes | None] = {}

    def user(self, user: str, stored_cursor: int | None = None) -> UserState:
        """The timeline of a user; a stored cursor of his makes it cheaper if it is not here."""
        if stored_cursor is not None and user not in self.users:
            return self.users.load(user, stored_cursor)
        return self.users[user]

    def conversation(self, conv: str) -> ConversationState | None:
        """A conversation by its well-formed id; None if there is none. Direct ones always are."""
        state = self._conversations.get(conv)
        if state is None:
            state = load_conversation(self.store, conv)
            if state is not None:
                if state.kind == keys.KIND_DIRECT:
                    pairs = zip(state.members, reversed(state.members), strict=True)
                    state.refused = frozenset(
                        other for by, other in pairs if by != other and self.is_blocked(by, other)
                    )
                self.keep(state)
        return state

    def direct(self, user: str, other: str) -> ConversationState:
        """The direct conversation of two users."""
        return self.existing(direct(user, other).conv)

    def existing(self, conv: str) -> ConversationState:
        """A conversation that an entry was planned for: it is there, or the store is not ours."""
        state = self._conversations.get(conv) or self.conversation(conv)
        if state is None:
            raise StoreCorrupt(f"there is no conversation {conv}")
        return state

    def keep(self, state: ConversationState) -> None:
        """Keep a conversation in memory: one that was read, or that has just been made."""
        if len(self._conversations) >= self._cache_users:
            for route in _evict(self._conversations):
                del self.routes[route]
        self._conversations[state.conv] = state

    def member(self, state: ConversationState, user: str) -> keys.MemberRow | None:
        """What `user` is in a group or channel, as planned; None if no member."""
        if not state.is_channel:
            return state.roles.get(user)
        value = self.overlay.get("members", state.prefix + user.encode())
        return None if value is None else keys.parse_member_value(value)

    def belongs(self, state: ConversationState, user: str) -> bool:
        """Whether `user` may see and use a conversation, as planned."""
        if state.kind == keys.KIND_DIRECT:
            return user in state.members
        return self.member(state, user) is not None

    def add_route(self, user: str, to: str, state: ConversationState) -> None:
        """Remember where `user` sends to by `to`: a conversation that the user belongs to."""
        state.routes.append((user, to))
        self.routes[user, to] = state

    def drop_routes(self, state: ConversationState) -> None:
        """Look up again who may send: the membership has changed."""
        for route in state.routes:
            del self.routes[route]
        state.routes.clear()

    def is_blocked(self, by: str, who: str) -> bool:
        """Whether `by` blocks `who`, as planned."""
        return self.overlay.get("members", block_row(by, who)) is not None

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

    def release(self, entries: Iterable[SendEntry | ChangeEntry]) -> None:
        """Applied entries are durable now, and all before them: heads move, keys are settled."""
        pending, users, newest = self.pending, self.users, self.newest
        for entry in entries:
            if type(entry) is not SendEntry:
                self._release_change(entry)  # pyright: ignore[reportArgumentType] - no other kind
                continue
            conv, n, user = place = (entry.conv, entry.n, entry.user)
            del pending[user, entry.key]
            self._conversations[conv].durable = n
            if conv in newest:
                newest.release(conv, n, entry.ts)
            if self.speaking:
                states = self.speaking.pop((conv, n), None)
                if states is not None:
                    _remember(states, entry.members, place)
                    continue
            for member, seq in entry.members:
                users[member].remember(seq, place)

    def _release_change(self, entry: ChangeEntry) -> None:
        """The same for a change, which may be of several events."""
        del self.pending[entry.user, entry.key]
        self._forget_changed(entry)
        conversation = self._conversations.get(entry.conv)
        if conversation is None:
            return  # it made no event, so nothing held the conversation
        users = self.users
        for part in entry.parts:
            conversation.durable = part.n
            self.newest.release(entry.conv, part.n, entry.ts)
            place = (entry.conv, part.n, entry.user)
            for member, seq in part.members:
                users[member].remember(seq, place)

    def release_trim(self, entry: TrimEntry) -> None:
        """A timeline's floor is durable now: what is below it may go."""
        self.users[entry.user].floor = entry.floor

    def release_registration(self, entry: RegisterEntry | UnregisterEntry) -> None:
        """A change of a user's registered devices is durable now."""
        self.users[entry.user].registering -= 1

    def _forget_changed(self, entry: ChangeEntry) -> None:
        """What memory has of messages that are no longer what they were."""
        for effect in entry.effects:
            if isinstance(effect, SetState | Rewrite | SetReaction):
                self.tails.forget(entry.conv, effect.n)
                if isinstance(effect, Rewrite):
                    self.unread.forget(entry.conv, effect.n)


def _remember(states: list[UserState], members: tuple[tuple[str, int], ...], place: Place) -> None:
    """`UserState.remember` of many, spelled out: a call for each is a third of this."""
    for state, (_, seq) in zip(states, members, strict=True):
        state.durable = seq
        recent = state.recent
        if recent is None:
            state.recent = [place]
            continue
        recent.append(place)
        if len(recent) > RECENT_MOST:
            del recent[:-RECENT_EVENTS]


def _evict(cache: OrderedDict[str, State]) -> list[tuple[str, str]]:
    """Drop the oldest state that is quiet; what is on its way to the disk stays.

    Returns the routes of what was dropped. If nothing old is quiet, nothing is dropped: the cache
    then grows by what the journal lets wait.
    """
    for _ in range(min(len(cache), _EVICTION_STEPS)):
        name, state = cache.popitem(last=False)
        if state.is_quiet:
            return state.routes if isinstance(state, ConversationState) else []
        cache[name] = state
    return []
