"""Durable events as everyone gets them, without `op` and `seq` (protocol, section 6)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hivewire.store import keys


class Message(Struct, gc=False, omit_defaults=True, tag_field="type", tag="message"):
    """The body of a message; in a timeline `seq` comes in front of it."""

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


TYPES = {
    keys.TYPE_EDIT: "edit",
    keys.TYPE_RECALL: "recall",
    keys.TYPE_REACTION: "reaction",
    keys.TYPE_MEMBERSHIP: "membership",
    keys.TYPE_CONVERSATION: "conversation",
}
"""What an event is called, by the type byte of its timeline rows; messages take a shorter way."""

ROLES = {keys.ROLE_MEMBER: "member", keys.ROLE_ADMIN: "admin", keys.ROLE_OWNER: "owner"}
ROLE_NUMBERS = {name: role for role, name in ROLES.items()}
KINDS = {keys.KIND_DIRECT: "direct", keys.KIND_GROUP: "group", keys.KIND_CHANNEL: "channel"}
KIND_NUMBERS = {name: kind for kind, name in KINDS.items()}
HISTORIES = {keys.HISTORY_ALL: "all", keys.HISTORY_JOINED: "joined"}
HISTORY_NUMBERS = {name: history for history, name in HISTORIES.items()}

MESSAGE_START = b'{"type":"message",'
RECALLED_START = b'{"type":"message","recalled":'
"""How a message whose body is gone begins: readers of many rows need not decode them."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode
raw = msgspec.Raw
"""An event that is JSON already, to be put into an answer as it is."""
_to_msgpack = msgspec.msgpack.Encoder().encode


def twin(body: bytes) -> bytes:
    """An event for those who speak MessagePack."""
    return _to_msgpack(decode(body))


def recalled(body: dict[str, Any], ts: int) -> dict[str, Any]:
    """A message, or an edit of it, without what it said."""
    kept = ("conv", "n", "from", "key", "ts", "target")
    return {
        "type": body["type"],
        "recalled": ts,
        **{name: body[name] for name in kept if name in body},
    }
