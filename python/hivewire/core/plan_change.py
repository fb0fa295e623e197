"""Changes of one message, decided: `edit`, `recall`, `react`.

Each is an event of its own in the conversation, and a row that says what the message is now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire.core import events
from hivewire.core.digest import change_digest
from hivewire.core.entries import (
    ChangeEntry,
    Part,
    Rejection,
    Rewrite,
    SendEntry,
    SetReaction,
    SetState,
    Unname,
)
from hivewire.core.limits import EDITS_A_MESSAGE, EMOJIS_A_MESSAGE
from hivewire.core.plan import Known, not_yours, used_before
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import Edit, React, Recall
    from hivewire.core.entries import Effect
    from hivewire.core.state import ConversationState
    from hivewire.core.view import View

NO_SUCH_MESSAGE = Rejection("not_found", "the conversation has no such message", "n")
NOT_THE_AUTHOR = Rejection("forbidden", "not a message of yours", "n")
TOO_MANY_EMOJIS = Rejection(
    "too_large", f"a message has at most {EMOJIS_A_MESSAGE} different emojis", "emoji"
)


TOO_MANY_EDITS = Rejection("too_large", f"a message can be edited {EDITS_A_MESSAGE} times", "n")


class Target(NamedTuple):
    """A message that somebody wants to change, as planned."""

    conversation: ConversationState
    role: int
    body: dict[str, Any]
    state: dict[str, Any]
    """What became of it so far; empty if nothing did."""


def plan_edit(
    command: Edit, user: str, device: str, view: View, now_ms: int, digest: bytes | None = None
) -> ChangeEntry | Known:
    """Another text for a message, by its author."""
    asked = Asked(
        keys.OP_EDIT,
        keys.TYPE_EDIT,
        command,
        user,
        device,
        digest or change_digest("edit", command.n, command.text),
    )
    target = _find(asked, view)
    if not isinstance(target, Target):
        return target
    if target.body["from"] != user:
        return NOT_THE_AUTHOR
    n = target.conversation.planned + 1
    edits = [*target.state.get("edits", ()), n]
    if len(edits) > EDITS_A_MESSAGE:
        return TOO_MANY_EDITS
    state = target.state | {"edited": now_ms, "text": command.text, "edits": edits}
    effects = (SetState(command.n, state),)
    return _place(asked, target, view, now_ms, {"text": command.text}, effects)


def plan_recall(
    command: Recall, user: str, device: str, view: View, now_ms: int
) -> ChangeEntry | Known:
    """A message taken back, by its author or by who looks after the group. Its text is gone."""
    digest = change_digest("recall", command.n)
    asked = Asked(keys.OP_RECALL, keys.TYPE_RECALL, command, user, device, digest)
    target = _find(asked, view)
    if not isinstance(target, Target):
        return target
    if target.body["from"] != user and target.role < keys.ROLE_ADMIN:
        return NOT_THE_AUTHOR
    gone = [Rewrite(command.n, events.recalled(target.body, now_ms))]
    for n in target.state.get("edits", ()):
        edit = body_at(view, target.conversation, n)
        if edit is not None:
            gone.append(Rewrite(n, events.recalled(edit, now_ms)))
    effects: tuple[Effect, ...] = (SetState(command.n, {"recalled": now_ms}), *gone)
    if target.body.get("media"):
        effects += (Unname(command.n, target.body["media"]),)
    return _place(asked, target, view, now_ms, {}, effects)


def plan_react(
    command: React, user: str, device: str, view: View, now_ms: int
) -> ChangeEntry | Known:
    """An emoji on a message, or off it. To say the same twice changes no count."""
    digest = change_digest("react", command.n, command.emoji, command.on)
    asked = Asked(keys.OP_REACT, keys.TYPE_REACTION, command, user, device, digest)
    target = _find(asked, view)
    if not isinstance(target, Target):
        return target
    prefix, emoji = target.conversation.prefix, command.emoji
    row = keys.reaction_key(prefix, command.n, emoji, user)
    is_on = view.overlay.get("conversations", row) is not None
    counts: dict[str, int] = dict(target.state.get("counts", {}))
    if command.on and emoji not in counts and len(counts) >= EMOJIS_A_MESSAGE:
        return TOO_MANY_EMOJIS
    effects: tuple[Effect, ...] = ()
    if is_on != command.on:
        counts[emoji] = counts.get(emoji, 0) + (1 if command.on else -1)
        counts = {name: count for name, count in counts.items() if count > 0}
        effects = (
            SetReaction(command.n, emoji, user, command.on),
            SetState(command.n, target.state | {"counts": counts}),
        )
    said = {"emoji": emoji, "on": command.on}
    return _place(asked, target, view, now_ms, said, effects)


class Asked(NamedTuple):
    """Who wants which change of which message."""

    op: int
    kind: int
    command: Edit | Recall | React
    user: str
    device: str
    digest: bytes


def _find(asked: Asked, view: View) -> Target | Known:
    """The message, if this user may see it; the key comes before everything else."""
    command, user = asked.command, asked.user
    caller = view.users[user]
    known = used_before(view, caller, command.key, asked.op, command.conv, asked.digest)
    if known is not None:
        return known
    conversation = view.conversation(command.conv)
    if conversation is None or not view.belongs(conversation, user):
        return not_yours("conv")
    if user in conversation.refused and asked.op != keys.OP_RECALL:
        return not_yours("conv")
    member = view.member(conversation, user)
    hidden = member is not None and conversation.history == keys.HISTORY_JOINED
    if command.n > conversation.planned or (hidden and member and command.n <= member.since):
        return NO_SUCH_MESSAGE
    state = state_of(view, conversation, command.n)
    body = body_at(view, conversation, command.n)
    if body is None or body["type"] != "message" or "recalled" in state:
        return NO_SUCH_MESSAGE
    return Target(conversation, member.role if member else keys.ROLE_PEER, body, state)


def state_of(view: View, conversation: ConversationState, n: int) -> dict[str, Any]:
    """What became of message `n`, as planned."""
    value = view.overlay.get("conversations", keys.state_key(conversation.prefix, n))
    return {} if value is None else events.decode(keys.message_body(value))


def body_at(view: View, conversation: ConversationState, n: int) -> dict[str, Any] | None:
    """Event `n` of a conversation as planned: from the store, or from what is on its way there."""
    if n > conversation.durable:
        for entry in view.pending.values():
            if entry.conv == conversation.conv:
                if isinstance(entry, SendEntry) and entry.n == n:
                    return {"type": "message", "from": entry.user, **_places(entry, n)}
                if isinstance(entry, ChangeEntry):
                    for part in entry.parts:
                        if part.n == n:
                            return part.body
        return None
    key = conversation.prefix + keys.position(n)
    value = view.store.get(view.store.columns.messages, key)
    return None if value is None else events.decode(keys.message_body(value))


def _places(entry: SendEntry, n: int) -> dict[str, Any]:
    places = {"conv": entry.conv, "n": n, "key": entry.key, "ts": entry.ts}
    return {**places, "media": entry.media} if entry.media else places


def _place(
    asked: Asked,
    target: Target,
    view: View,
    now_ms: int,
    said: dict[str, Any],
    effects: tuple[Effect, ...],
) -> ChangeEntry:
    """Take the next place in the conversation and in the timeline of each member (I3)."""
    conversation, command, user = target.conversation, asked.command, asked.user
    n = conversation.planned + 1
    body = {
        "type": events.TYPES[asked.kind],
        "conv": conversation.conv,
        "n": n,
        "from": user,
        "key": command.key,
        "ts": now_ms,
        "target": command.n,
        **said,
    }
    users, members = view.users, conversation.members
    places = tuple([(member, users[member].planned + 1) for member in members])
    return ChangeEntry(
        asked.op,
        user,
        asked.device,
        conversation.conv,
        command.key,
        asked.digest,
        n,
        users[user].planned + 1 if members else 0,
        now_ms,
        (Part(n, asked.kind, places, body),),
        effects,
    )
