"""A change carried out: its events, and the rows that say what is so from now on.

As in `apply`, the entry holds all decisions (I11); what is planned in memory moves with the rows.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING

from hivewire.core import entries as e
from hivewire.core.events import encode
from hivewire.core.state import ConversationState
from hivewire.store import keys
from hivewire.store.timelines import pack_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import ChangeEntry, Effect, MarkEntry
    from hivewire.core.overlay import Pending
    from hivewire.core.view import View
    from hivewire.store import Batch


class Applied:
    """What a change left behind in memory until it is durable."""

    __slots__ = ("bodies", "marks", "pending")

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        """The events as JSON without `op` and `seq`, in the order of the entry's parts."""
        self.pending: list[Pending] = []
        self.marks: list[MarkEntry] = []


def apply_change(entry: ChangeEntry, view: View, batch: Batch) -> Applied:
    """Put the rows of a change and take its places.

    The conversation comes first, since its events need it. Then the events: a user who has got one
    stays in memory, so that what the other effects change of him there is not dropped in between.
    """
    applied = Applied()
    for effect in entry.effects:
        if type(effect) is e.SetConversation:
            _set_conversation(effect, entry, view, batch, applied)
    _apply_parts(entry, view, batch, applied)
    for effect in entry.effects:
        if type(effect) is not e.SetConversation:
            _EFFECTS[type(effect)](effect, entry, view, batch, applied)
    user = view.user(entry.user)
    batch.put(
        user.prefix + entry.key.encode(),
        keys.key_value(entry.op, entry.digest, entry.n, entry.seq, entry.ts, entry.conv),
        view.store.columns.keys,
    )
    view.pending[entry.user, entry.key] = entry
    return applied


def _apply_parts(entry: ChangeEntry, view: View, batch: Batch, applied: Applied) -> None:
    """Each event: its body in the log, a reference in each timeline."""
    if not entry.parts:
        return
    columns, put, position = view.store.columns, batch.put, keys.position
    conversation = view.existing(entry.conv)
    for part in entry.parts:
        body = encode(part.body)
        applied.bodies.append(body)
        message_key = conversation.prefix + position(part.n)
        put(message_key, keys.MESSAGE_VERSION + body, columns.messages)
        view.gathered.add(pack_reference(part.kind, message_key), part.members, put)
        conversation.planned = part.n


def _set_state(
    effect: e.SetState, entry: ChangeEntry, view: View, batch: Batch, applied: Applied
) -> None:
    prefix = view.existing(entry.conv).prefix
    value = keys.state_value(encode(effect.state))
    row = keys.state_key(prefix, effect.n)
    applied.pending.append(view.overlay.put("conversations", row, value, batch.put))


def _rewrite(
    effect: e.Rewrite, entry: ChangeEntry, view: View, batch: Batch, _applied: Applied
) -> None:
    row = view.existing(entry.conv).prefix + keys.position(effect.n)
    body = keys.MESSAGE_VERSION + encode(effect.body)
    batch.put(row, body, view.store.columns.messages)


def _set_reaction(
    effect: e.SetReaction, entry: ChangeEntry, view: View, batch: Batch, applied: Applied
) -> None:
    prefix = view.existing(entry.conv).prefix
    row = keys.reaction_key(prefix, effect.n, effect.emoji, effect.user)
    if effect.on:
        pending = view.overlay.put("conversations", row, keys.REACTION_VALUE, batch.put)
    else:
        batch.delete(row, view.store.columns.conversations)
        pending = view.overlay.gone("conversations", row)
    applied.pending.append(pending)


def _set_conversation(
    effect: e.SetConversation, entry: ChangeEntry, view: View, batch: Batch, applied: Applied
) -> None:
    row = keys.ConversationRow(
        effect.kind, effect.created, effect.history, effect.size, effect.name
    )
    state = view.conversation(entry.conv)
    if state is None:
        state = ConversationState(entry.conv, keys.prefix(entry.conv), row, 0)
        view.keep(state)
    if effect.kind == keys.KIND_CHANNEL and not state.is_channel:
        # From here on its members are read one by one.
        state.members, state.roles = (), {}
    state.kind, state.history = effect.kind, effect.history
    state.size, state.name, state.created = effect.size, effect.name, effect.created
    value = keys.conversation_value(*row)
    applied.pending.append(view.overlay.put("conversations", state.prefix, value, batch.put))


def _set_member(
    effect: e.SetMember, entry: ChangeEntry, view: View, batch: Batch, applied: Applied
) -> None:
    state = view.existing(entry.conv)
    row = keys.MemberRow(effect.role, effect.since, effect.kind)
    value = keys.member_value(*row)
    put = view.overlay.put
    own = view.user(effect.user).prefix + entry.conv.encode()
    applied.pending.append(put("members", state.prefix + effect.user.encode(), value, batch.put))
    applied.pending.append(put("members", own, value, batch.put))
    if not state.is_channel:
        state.roles[intern(effect.user)] = row
        state.members = tuple(state.roles)
    if effect.mark is not None:
        applied.marks.append(view.marks.start(entry.conv, effect.user, effect.mark, batch.put))


def _drop_member(
    effect: e.DropMember, entry: ChangeEntry, view: View, batch: Batch, applied: Applied
) -> None:
    state = view.existing(entry.conv)
    members = view.store.columns.members
    for row in (
        state.prefix + effect.user.encode(),
        view.user(effect.user).prefix + entry.conv.encode(),
    ):
        batch.delete(row, members)
        applied.pending.append(view.overlay.gone("members", row))
    if not state.is_channel:
        state.roles.pop(effect.user, None)
        state.members = tuple(state.roles)
    view.drop_routes(state)


def _count_channel(
    effect: e.CountChannel, _entry: ChangeEntry, view: View, batch: Batch, _applied: Applied
) -> None:
    state = view.user(effect.user)
    state.channels += effect.by
    batch.put(state.prefix, state.row(), view.store.columns.marks)


def _unname(
    effect: e.Unname, entry: ChangeEntry, view: View, batch: Batch, applied: Applied
) -> None:
    for media in effect.media:
        row = keys.naming_key(media, entry.conv, effect.n)
        batch.delete(row, view.store.columns.media)
        applied.pending.append(view.overlay.gone("media", row))


_EFFECTS: dict[type, Callable[[Effect, ChangeEntry, View, Batch, Applied], None]] = {
    e.SetState: _set_state,
    e.Rewrite: _rewrite,
    e.SetReaction: _set_reaction,
    e.SetMember: _set_member,
    e.DropMember: _drop_member,
    e.CountChannel: _count_channel,
    e.Unname: _unname,
}  # pyright: ignore[reportAssignmentType] - each takes the effect that it is registered for
