"""Entries carried out: rows into a batch, and what is to be delivered once that is durable.

The same entry on the same state gives the same bytes (I11): all decisions are in the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.apply_push import apply_held
from hivewire.core.events import Message, encode
from hivewire.core.state import block_row
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.core.entries import BlockEntry, DeviceEntry, SendEntry, TrimEntry
    from hivewire.core.overlay import Pending
    from hivewire.core.state import ConversationState
    from hivewire.core.view import View
    from hivewire.store import Batch, Columns, Put


def apply_send(entry: SendEntry, view: View, put: Put, columns: Columns) -> bytes:
    """Put the rows of a message and take its places; returns its body as JSON.

    The body, the key, and a reference in each timeline: four rows in a direct chat, two in a
    channel, in a large group three and now and then a run for each member. The first of a direct
    conversation puts three more. The body is an object without `op` and `seq`.
    """
    conversation = view.existing(entry.conv)
    body = encode(
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
    place = keys.position(entry.n)
    message_key = conversation.prefix + place
    put(message_key, keys.MESSAGE_VERSION + body, columns.messages)
    states = view.gathered.add(conversation.reference + place, entry.members, put)
    if states is not None:
        view.speaking[entry.conv, entry.n] = states
    if view.pushes:
        apply_held(entry, message_key, view, put)
    put(
        view.users[entry.user].prefix + entry.key.encode(),
        keys.key_value(keys.OP_SEND, entry.digest, entry.n, entry.seq, entry.ts, entry.conv),
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
    size = len(entry.members)
    made = keys.conversation_value(keys.KIND_DIRECT, entry.ts, size=size)
    put(conversation.prefix, made, columns.conversations)
    membership = keys.member_value(keys.ROLE_PEER, 0, keys.KIND_DIRECT)
    for member, _ in entry.members:
        put(view.user(member).prefix + entry.conv.encode(), membership, columns.members)


def apply_device(entry: DeviceEntry, view: View, put: Put) -> None:
    """Put the cursor that a connect decided."""
    view.cursors.set(entry, put)


def apply_trim(entry: TrimEntry, view: View, put: Put) -> None:
    """Put the row that says where a timeline begins. What is below it goes when this is durable."""
    state = view.user(entry.user)
    state.planned_floor = entry.floor
    put(state.prefix, state.row(), view.store.columns.marks)


def apply_block(entry: BlockEntry, view: View, batch: Batch) -> Pending:
    """Put or delete the row of a block; returns what the overlay holds of it."""
    row = block_row(entry.user, entry.other)
    direct = view.direct(entry.user, entry.other)
    if entry.on:
        pending = view.overlay.put("members", row, keys.BLOCK_VALUE, batch.put)
        direct.refused = direct.refused | {entry.other}
    else:
        batch.delete(row, view.store.columns.members)
        pending = view.overlay.gone("members", row)
        direct.refused = direct.refused - {entry.other}
    return pending
