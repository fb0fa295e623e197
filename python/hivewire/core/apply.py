"""Entries carried out: rows into a batch, and what is to be delivered once that is durable.

The same entry on the same state gives the same bytes (I11): all decisions are in the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.entries import DeviceEntry, SendEntry
    from hivewire.core.state import ConversationState
    from hivewire.core.view import View
    from hivewire.store import Columns, Put


class Message(Struct, gc=False, omit_defaults=True, tag_field="type", tag="message"):
    """The body of a message as everyone gets it; in a timeline `seq` comes in front of it."""

    conv: str
    n: int
    from_: str = msgspec.field(name="from")
    key: str
    ts: int
    text: str | None = None
    media: list[str] | None = None
    data: dict[str, Any] | None = None
    reply_to: int | None = None
    mentions: list[str] | None = None


_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder().decode
_to_msgpack = msgspec.msgpack.Encoder().encode


def apply_send(entry: SendEntry, view: View, put: Put, columns: Columns) -> bytes:
    """Put the rows of a message and take its places; returns its body as JSON.

    Four rows a message: the body, a reference in each of two timelines, the key. The first of a
    conversation puts three more. The body is an object without `op` and `seq`.
    """
    conversation = view.conversation(entry.conv)
    body = _to_json(
        Message(
            entry.conv,
            entry.n,
            entry.user,
            entry.key,
            entry.ts,
            entry.text,
            entry.media,
            entry.data,
            entry.reply_to,
            entry.mentions,
        )
    )
    position = keys.position
    message_key = conversation.prefix + position(entry.n)
    put(message_key, keys.MESSAGE_VERSION + body, columns.messages)
    reference = keys.MESSAGE_REFERENCE + message_key
    users, timeline = view.users, columns.timeline
    for member, seq in entry.members:
        state = users[member]
        put(state.prefix + position(seq), reference, timeline)
        state.planned = seq
    put(
        users[entry.user].prefix + entry.key.encode(),
        keys.key_value(entry.digest, entry.n, entry.seq, entry.ts, entry.conv),
        columns.keys,
    )
    conversation.planned = entry.n
    view.pending[entry.user, entry.key] = entry
    if entry.n == 1:
        _begin_conversation(entry, conversation, view, put, columns)
    return body


def _begin_conversation(
    entry: SendEntry, conversation: ConversationState, view: View, put: Put, columns: Columns
) -> None:
    """A direct conversation comes to be with its first message."""
    made = keys.conversation_value(keys.KIND_DIRECT, entry.ts)
    put(conversation.prefix, made, columns.conversations)
    membership = keys.member_value(keys.ROLE_PEER, entry.n)
    for member, _ in entry.members:
        put(view.user(member).prefix + entry.conv.encode(), membership, columns.members)


def apply_device(entry: DeviceEntry, view: View, put: Put) -> None:
    """Put the cursor that a connect decided."""
    view.cursors.set(entry, put)


def body_msgpack(body: bytes) -> bytes:
    """A body that `apply_send` returned, for those who speak MessagePack."""
    return _to_msgpack(_from_json(body))
