"""Commands that change something, decided: `plan(command, view)` is an entry or a refusal.

Nothing is changed here. Time comes in as an argument; what was decided goes out in the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from hivewire.core.digest import body_digest
from hivewire.core.entries import (
    ChangeEntry,
    CursorEntry,
    DeviceEntry,
    Duplicate,
    Pending,
    Rejection,
    SendEntry,
)
from hivewire.core.media import all_there
from hivewire.core.names import parse_target
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import Connect, Send
    from hivewire.core.state import ConversationState, UserState
    from hivewire.core.view import View

MALFORMED_TO = Rejection("bad_request", "`to` is malformed", "to")
KEY_CONFLICT = Rejection("conflict", "this key was used for something else", "key")
NO_SUCH_MESSAGE = Rejection("not_found", "the conversation has no such message", "reply_to")
NO_SUCH_MEDIA = Rejection("not_found", "there is no such upload", "media")

HEARD_OF_MS = 24 * 3600 * 1000
"""A device that connects has its row written again when that is older, ms."""

Known = Duplicate | Pending | Rejection


def not_yours(field: str) -> Rejection:
    """One is not in that conversation, or there is none: nobody learns which."""
    return Rejection("forbidden", "not a conversation of yours", field)


NOT_A_MEMBER = not_yours("to")
BLOCKED = NOT_A_MEMBER
"""Who is blocked hears what a stranger hears."""


def plan_send(
    command: Send,
    user: str,
    device: str,
    view: View,
    now_ms: int,
    digest: bytes | None = None,
) -> SendEntry | Known:
    """Decide a message: where it goes, in which places, or why not.

    The key comes first (protocol, section 4): whoever asks again after an answer that got lost
    must hear the same, whatever has changed since. `digest` is that of the body as the client sent
    it, if a hook has changed it since.
    """
    route = view.routes.get((user, command.to))
    target = route or parse_target(command.to, user)
    if target is None:
        return MALFORMED_TO
    conv = target.conv
    if digest is None:
        digest = body_digest(command)
    sender = view.users[user]
    known = used_before(view, sender, command.key, keys.OP_SEND, conv, digest)
    if known is not None:
        return known
    found = route or _enter(command.to, conv, user, view)
    if found is None:
        return NOT_A_MEMBER
    return _refusal(command, user, found, view) or _place(
        command, sender, device, found, view, digest=digest, now_ms=now_ms
    )


def _enter(to: str, conv: str, user: str, view: View) -> ConversationState | None:
    """The conversation, if there is one that the user belongs to; found faster the next time."""
    conversation = view.conversation(conv)
    if conversation is None or not view.belongs(conversation, user):
        return None
    view.add_route(user, to, conversation)
    return conversation


def _refusal(
    command: Send, user: str, conversation: ConversationState, view: View
) -> Rejection | None:
    """Why a message to one's own conversation cannot be."""
    if user in conversation.refused:
        return BLOCKED
    if command.reply_to is not None and command.reply_to > conversation.planned:
        return NO_SUCH_MESSAGE
    if command.media and not all_there(command.media, view):
        return NO_SUCH_MEDIA
    return None


def used_before(
    view: View, user: UserState, key: str, op: int, conv: str | None, digest: bytes
) -> Known | None:
    """What a key that was used before means now; None if it was not.

    `conv` None: the conversation is part of the digest.
    """
    used = view.pending.get((user.user, key))
    if used is not None:
        row = keys.KeyRow(
            used.op if isinstance(used, ChangeEntry) else keys.OP_SEND,
            used.digest,
            used.n,
            used.seq,
            used.ts,
            used.conv,
        )
        return Pending(_judge(row, op, conv, digest))
    value = view.key_row(user, key)
    return None if value is None else _judge(keys.parse_key_value(value), op, conv, digest)


def _judge(used: keys.KeyRow, op: int, conv: str | None, digest: bytes) -> Duplicate | Rejection:
    if used.op == op and used.digest == digest and conv in (None, used.conv):
        return Duplicate(used.conv, used.n, used.seq, used.ts, used.op)
    return KEY_CONFLICT


def _place(
    command: Send,
    sender: UserState,
    device: str,
    conversation: ConversationState,
    view: View,
    *,
    digest: bytes,
    now_ms: int,
) -> SendEntry:
    """Take the next place in the conversation and in the timeline of each member (I3)."""
    users, members = view.users, conversation.members
    if len(members) == 2:
        # The usual, spelled out: half the time of the loop.
        first, second = members
        places = ((first, users[first].planned + 1), (second, users[second].planned + 1))
    else:
        places = tuple([(member, users[member].planned + 1) for member in members])
    return SendEntry(
        sender.user,
        device,
        conversation.conv,
        command.key,
        digest,
        conversation.planned + 1,
        now_ms,
        sender.planned + 1 if members else 0,
        places,
        command.text,
        command.media or None,
        command.data,
        command.reply_to,
        command.mentions or None,
    )


def plan_ack(
    seq: int, user: str, device: str, view: View, now_ms: int, field: str = "seq"
) -> CursorEntry | Rejection | None:
    """Decide an `ack`, or the `after` of a `sync`: None if the cursor is there already (I6)."""
    head = view.user(user).durable
    if seq > head:
        return Rejection("bad_request", f"`{field}` is beyond the head, {head}", field)
    cursor = view.cursors.load(user, device) or 0
    return None if seq <= cursor else CursorEntry(user, device, seq, now_ms, cursor)


class ConnectPlan(Struct):
    """Where a device goes on from, as `connected` tells it."""

    cursor: int
    head: int
    reset: bool
    new_device: bool
    trimmed_before: int
    entry: DeviceEntry | None
    """To be durable before `connected`; None if the stored cursor stays as it is."""


def plan_connect(
    command: Connect, user: str, device: str, view: View, now_ms: int, epoch: str
) -> ConnectPlan:
    """Decide the cursor of a device that connects (protocol, section 5).

    A client of another incarnation of the data, or one that claims to be ahead of it, starts
    again from 0. Else its own cursor counts, then the stored one; a new device starts at the head.
    """
    row = view.cursors.load_row(user, device)
    stored = None if row is None else row.cursor
    timeline = view.user(user, stored)
    head = timeline.durable
    claimed = command.cursor
    reset = (command.epoch is not None and command.epoch != epoch) or (
        claimed is not None and claimed > head
    )
    if reset:
        cursor = 0
    elif claimed is not None:
        cursor = claimed
    else:
        cursor = head if stored is None else stored
    # A cursor that is only gathered yet may not be told as it is: a kill would take it back.
    gathered = view.cursors.gathered(user, device)
    since = cursor if stored is None and claimed is None else stored or 0
    if gathered is not None:
        since = gathered.since
    # A device that is only heard of must not be forgotten either: its row is written again.
    heard = row is not None and now_ms - row.ts < HEARD_OF_MS
    settled = cursor == stored and gathered is None and heard
    entry = None if settled else DeviceEntry(user, device, cursor, now_ms, since)
    return ConnectPlan(cursor, head, reset, stored is None, timeline.floor, entry)
