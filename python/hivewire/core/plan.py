"""Commands that change something, decided: `plan(command, view)` is an entry or a refusal.

Nothing is changed here. Time comes in as an argument; what was decided goes out in the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from hivewire.core.digest import body_digest
from hivewire.core.entries import (
    CursorEntry,
    DeviceEntry,
    Duplicate,
    Pending,
    Rejection,
    SendEntry,
)
from hivewire.core.names import parse_target
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.commands import Connect, Send
    from hivewire.core.state import ConversationState, UserState
    from hivewire.core.view import View

MALFORMED_TO = Rejection("bad_request", "`to` is malformed", "to")
NOT_A_MEMBER = Rejection("forbidden", "not a conversation of yours", "to")
KEY_CONFLICT = Rejection("conflict", "this key was used for something else", "key")
NO_SUCH_MESSAGE = Rejection("not_found", "the conversation has no such message", "reply_to")


def plan_send(
    command: Send, user: str, device: str, view: View, now_ms: int
) -> SendEntry | Duplicate | Pending | Rejection:
    """Decide a message: where it goes, in which places, or why not.

    The key comes first (protocol, section 4): whoever asks again after an answer that got lost
    must hear the same, whatever has changed since.
    """
    route = view.routes.get((user, command.to))
    target = route or parse_target(command.to, user)
    if target is None:
        return MALFORMED_TO
    digest = body_digest(command)
    sender = view.users[user]
    used = view.pending.get((user, command.key))
    if used is not None:
        return Pending(_judge(used, target.conv, digest))
    row = view.key_row(sender, command.key)
    if row is not None:
        return _judge(keys.parse_key_value(row), target.conv, digest)
    if user not in target.members:
        return NOT_A_MEMBER
    conversation = route or view.add_route(user, command.to, target.conv)
    return _refusal(command, conversation) or _place(
        command, sender, device, conversation, view, digest=digest, now_ms=now_ms
    )


def _refusal(command: Send, conversation: ConversationState) -> Rejection | None:
    """Why a message to one's own conversation cannot be: it refers to what is not there.

    Ids of media are checked for their form only, until there are uploads to check them against.
    """
    if command.reply_to is not None and command.reply_to > conversation.planned:
        return NO_SUCH_MESSAGE
    return None


def _judge(used: SendEntry | keys.KeyRow, conv: str, digest: bytes) -> Duplicate | Rejection:
    """What a key that was used before means now. So far only `send` uses keys."""
    if used.digest == digest and used.conv == conv:
        return Duplicate(used.conv, used.n, used.seq, used.ts)
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
        sender.planned + 1,
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
    if seq <= (view.cursors.load(user, device) or 0):
        return None
    return CursorEntry(user, device, seq, now_ms)


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
    stored = view.cursors.load(user, device)
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
    entry = None if cursor == stored else DeviceEntry(user, device, cursor, now_ms)
    return ConnectPlan(cursor, head, reset, stored is None, timeline.floor, entry)
