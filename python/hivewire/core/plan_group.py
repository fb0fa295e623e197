"""Changes of groups and channels, decided: who is in them, in which role, what they are called.

Every change is an event in the conversation, in order with its messages. A group writes it into
the timeline of every member; a channel into those whom it is about (protocol, section 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire.core import events
from hivewire.core.digest import change_digest
from hivewire.core.entries import (
    ChangeEntry,
    CountChannel,
    DropMember,
    Part,
    Rejection,
    SetConversation,
    SetMember,
)
from hivewire.core.plan import Known, not_yours, used_before
from hivewire.core.state import load_members
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import (
        GroupAdd,
        GroupCreate,
        GroupLeave,
        GroupRemove,
        GroupUpdate,
    )
    from hivewire.core.entries import Effect
    from hivewire.core.state import ConversationState
    from hivewire.core.view import View

TAKEN = Rejection("conflict", "there is a conversation with this id", "group")
NOT_FOR_MEMBERS = Rejection("forbidden", "only owner and admins may do this", "conv")
NOT_FOR_ADMINS = Rejection("forbidden", "only an owner may do this", "conv")
NAME_OR_ROLE = Rejection("bad_request", "either `name`, or `user` and `role`", "name")
NO_SUCH_MEMBER = Rejection("not_found", "no member of this conversation", "user")
LAST_OWNER = Rejection("forbidden", "the last owner must hand over first", "role")


class Asked(NamedTuple):
    """Who wants what, and when."""

    op: int
    user: str
    device: str
    key: str
    digest: bytes
    now_ms: int


class Draft:
    """A change while it is decided: its events take their places one after the other (I3)."""

    def __init__(self, asked: Asked, conv: str, head: int, view: View) -> None:
        self._asked = asked
        self._conv = conv
        self._view = view
        self._seqs: dict[str, int] = {}
        self.head = head
        self.parts: list[Part] = []
        self.effects: list[Effect] = []

    def event(self, kind: int, said: dict[str, Any], members: tuple[str, ...]) -> int:
        """Add an event for these members; returns its `n`."""
        asked = self._asked
        self.head += 1
        body = {
            "type": events.TYPES[kind],
            "conv": self._conv,
            "n": self.head,
            "from": asked.user,
            "key": asked.key,
            "ts": asked.now_ms,
            **said,
        }
        places = tuple([(member, self._next(member)) for member in members])
        self.parts.append(Part(self.head, kind, places, body))
        return self.head

    def _next(self, user: str) -> int:
        seq = self._seqs.get(user, self._view.users[user].planned) + 1
        self._seqs[user] = seq
        return seq

    def entry(self) -> ChangeEntry:
        """What was decided."""
        asked = self._asked
        seq = self._seqs.get(asked.user, 0)
        return ChangeEntry(
            asked.op,
            asked.user,
            asked.device,
            self._conv,
            asked.key,
            asked.digest,
            self.head,
            seq,
            asked.now_ms,
            tuple(self.parts),
            tuple(self.effects),
        )


def plan_create(
    command: GroupCreate, user: str, device: str, view: View, now_ms: int, *, fresh: str, bound: int
) -> ChangeEntry | Known:
    """A new group or channel: made, then everybody added.

    Args:
        command: What it shall be.
        user: Who makes it; its owner.
        device: Of the user.
        view: The state as planned.
        now_ms: The time, milliseconds since the Unix epoch.
        fresh: The id it gets if the command names none.
        bound: Members that a group may have.
    """
    kind = events.KIND_NUMBERS[command.kind]
    others = [name for name in dict.fromkeys(command.members or ()) if name != user]
    history = events.HISTORY_NUMBERS[command.history]
    digest = change_digest(
        "create", command.group, command.kind, command.name, command.history, sorted(others)
    )
    known = used_before(view, view.users[user], command.key, keys.OP_CREATE, None, digest)
    if known is not None:
        return known
    conv = f"{command.kind}:{command.group or fresh}"
    if view.conversation(conv) is not None:
        return TAKEN
    everybody = (user, *others)
    if kind == keys.KIND_GROUP and len(everybody) > bound:
        message = f"a group has at most {bound} members; make a channel"
        return Rejection("too_large", message, "members")
    asked = Asked(keys.OP_CREATE, user, device, command.key, digest, now_ms)
    draft = Draft(asked, conv, 0, view)
    row = SetConversation(kind, now_ms, history, len(everybody), command.name)
    draft.event(keys.TYPE_CONVERSATION, _described(row), everybody)
    changes = [_added(user, keys.ROLE_OWNER), *(_added(name, keys.ROLE_MEMBER) for name in others)]
    head = draft.event(keys.TYPE_MEMBERSHIP, {"changes": changes}, everybody)
    draft.effects.append(row)
    for member in everybody:
        role = keys.ROLE_OWNER if member == user else keys.ROLE_MEMBER
        # Who was there from the beginning sees all of it, whatever `history` says.
        draft.effects.append(SetMember(member, role, 0, kind, head))
        if kind == keys.KIND_CHANNEL:
            draft.effects.append(CountChannel(member, 1))
    return draft.entry()


def plan_add(
    command: GroupAdd, user: str, device: str, view: View, now_ms: int, *, bound: int
) -> ChangeEntry | Known:
    """More members, by an owner or admin. A group that outgrows `bound` becomes a channel."""
    digest = change_digest("add", sorted(set(command.members)))
    asked = Asked(keys.OP_ADD, user, device, command.key, digest, now_ms)
    found = _open(asked, command.conv, view, keys.ROLE_ADMIN)
    if not isinstance(found, Opened):
        return found
    state, draft = found.conversation, found.draft
    names = dict.fromkeys(command.members)
    new = tuple([name for name in names if view.member(state, name) is None])
    if not new:
        return draft.entry()
    old = state.members
    changes = [_added(name, keys.ROLE_MEMBER) for name in new]
    n = draft.event(keys.TYPE_MEMBERSHIP, {"changes": changes}, old + new)
    size = state.size + len(new)
    outgrown = not state.is_channel and size > bound
    kind = keys.KIND_CHANNEL if outgrown else state.kind
    row = SetConversation(kind, state.created, state.history, size, state.name)
    mark = n
    if outgrown:
        mark = draft.event(keys.TYPE_CONVERSATION, _described(row), old + new)
    draft.effects.append(row)
    if outgrown:
        for name, member in state.roles.items():
            draft.effects.append(SetMember(name, member.role, member.since, kind, None))
            draft.effects.append(CountChannel(name, 1))
    for name in new:
        draft.effects.append(SetMember(name, keys.ROLE_MEMBER, n, kind, mark))
        if kind == keys.KIND_CHANNEL:
            draft.effects.append(CountChannel(name, 1))
    return draft.entry()


def plan_remove(
    command: GroupRemove, user: str, device: str, view: View, now_ms: int
) -> ChangeEntry | Known:
    """Fewer members, by an owner or admin; only an owner removes those."""
    digest = change_digest("remove", sorted(set(command.members)))
    asked = Asked(keys.OP_REMOVE, user, device, command.key, digest, now_ms)
    found = _open(asked, command.conv, view, keys.ROLE_ADMIN)
    if not isinstance(found, Opened):
        return found
    gone: list[str] = []
    for name in dict.fromkeys(command.members):
        member = view.member(found.conversation, name)
        if member is None:
            continue
        if member.role >= keys.ROLE_ADMIN and found.role < keys.ROLE_OWNER and name != user:
            return NOT_FOR_ADMINS
        gone.append(name)
    if not gone:
        return found.draft.entry()
    return _without(tuple(gone), "removed", found, view)


def plan_leave(
    command: GroupLeave, user: str, device: str, view: View, now_ms: int
) -> ChangeEntry | Known:
    """The user leaves. If no owner is left, somebody else becomes one."""
    digest = change_digest("leave")
    asked = Asked(keys.OP_LEAVE, user, device, command.key, digest, now_ms)
    found = _open(asked, command.conv, view, keys.ROLE_MEMBER)
    return _without((user,), "left", found, view) if isinstance(found, Opened) else found


def plan_update(
    command: GroupUpdate, user: str, device: str, view: View, now_ms: int
) -> ChangeEntry | Known:
    """Another name, by an owner or admin; or another role for a member, by an owner."""
    name, other, role = command.name, command.user, command.role
    digest = change_digest("update", name, other, role)
    asked = Asked(keys.OP_UPDATE, user, device, command.key, digest, now_ms)
    needed = keys.ROLE_ADMIN if name is not None else keys.ROLE_OWNER
    found = _open(asked, command.conv, view, needed)
    if not isinstance(found, Opened):
        return found
    if name is not None and other is None and role is None:
        return _rename(name, found, view)
    if name is None and other is not None and role is not None:
        return _give_role(other, events.ROLE_NUMBERS[role], found, view)
    return NAME_OR_ROLE


class Opened(NamedTuple):
    """A conversation that this user may change, and the change so far."""

    conversation: ConversationState
    role: int
    draft: Draft


def _open(asked: Asked, conv: str, view: View, needed: int) -> Opened | Known:
    """The key comes first, then whether one is in there, then whether one may."""
    known = used_before(view, view.users[asked.user], asked.key, asked.op, conv, asked.digest)
    if known is not None:
        return known
    state = view.conversation(conv)
    member = None if state is None else view.member(state, asked.user)
    if state is None or member is None:
        return not_yours("conv")
    if member.role < needed:
        return NOT_FOR_ADMINS if needed == keys.ROLE_OWNER else NOT_FOR_MEMBERS
    return Opened(state, member.role, Draft(asked, conv, state.planned, view))


def _without(gone: tuple[str, ...], change: str, found: Opened, view: View) -> ChangeEntry:
    """The event with which members go, seen by themselves too, and by all others of a group."""
    state, draft = found.conversation, found.draft
    changes: list[dict[str, Any]] = [{"user": name, "change": change} for name in gone]
    heir = _heir(gone, state, view)
    if heir is not None:
        owner = events.ROLES[keys.ROLE_OWNER]
        changes.append({"user": heir, "change": "role", "role": owner})
    about = gone if heir is None else (*gone, heir)
    draft.event(
        keys.TYPE_MEMBERSHIP, {"changes": changes}, about if state.is_channel else state.members
    )
    size = state.size - len(gone)
    draft.effects.append(
        SetConversation(state.kind, state.created, state.history, size, state.name)
    )
    for name in gone:
        draft.effects.append(DropMember(name))
        if state.is_channel:
            draft.effects.append(CountChannel(name, -1))
    if heir is not None:
        member = view.member(state, heir)
        since = 0 if member is None else member.since
        draft.effects.append(SetMember(heir, keys.ROLE_OWNER, since, state.kind, None))
    return draft.entry()


def _heir(gone: tuple[str, ...], state: ConversationState, view: View) -> str | None:
    """Who becomes owner because the last one goes: an admin if there is one, else anybody."""
    going = [view.member(state, name) for name in gone]
    if not any(row is not None and row.role == keys.ROLE_OWNER for row in going):
        return None  # nearly always, and then nobody reads all members of a channel
    members = _members(state, view)
    owners = {name for name, member in members.items() if member.role == keys.ROLE_OWNER}
    if owners - set(gone):
        return None
    left = [name for name in members if name not in gone]
    return max(left, key=lambda name: members[name].role, default=None)


def _rename(name: str, found: Opened, view: View) -> ChangeEntry:
    state, draft = found.conversation, found.draft
    if name == state.name:
        return draft.entry()
    row = SetConversation(state.kind, state.created, state.history, state.size, name)
    everybody = state.members or tuple(_members(state, view))
    draft.event(keys.TYPE_CONVERSATION, _described(row), everybody)
    draft.effects.append(row)
    return draft.entry()


def _give_role(other: str, role: int, found: Opened, view: View) -> ChangeEntry | Rejection:
    state, draft = found.conversation, found.draft
    member = view.member(state, other)
    if member is None:
        return NO_SUCH_MEMBER
    if member.role == role:
        return draft.entry()
    if member.role == keys.ROLE_OWNER:
        members = _members(state, view)
        owners = [name for name, row in members.items() if row.role == keys.ROLE_OWNER]
        if owners == [other]:
            return LAST_OWNER
    change = {"user": other, "change": "role", "role": events.ROLES[role]}
    about = (other,) if state.is_channel else state.members
    draft.event(keys.TYPE_MEMBERSHIP, {"changes": [change]}, about)
    draft.effects.append(SetMember(other, role, member.since, state.kind, None))
    return draft.entry()


def _members(state: ConversationState, view: View) -> dict[str, keys.MemberRow]:
    """All members as planned."""
    if not state.is_channel:
        return state.roles
    stored = load_members(view.store, state.prefix)
    for key, value in view.overlay.under("members", state.prefix):
        name = key[len(state.prefix) :].decode()
        if value is None:
            stored.pop(name, None)
        else:
            stored[name] = keys.parse_member_value(value)
    return stored


def _described(row: SetConversation) -> dict[str, Any]:
    return {
        "kind": events.KINDS[row.kind],
        "name": row.name,
        "history": events.HISTORIES[row.history],
    }


def _added(user: str, role: int) -> dict[str, Any]:
    return {"user": user, "change": "added", "role": events.ROLES[role]}
