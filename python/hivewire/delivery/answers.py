"""Answers as bytes: `sent`, which is asked for most, and any other object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from hivewire.core.entries import ChangeEntry, Duplicate, SendEntry

JSON = 0
MSGPACK = 1

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_SENT = b'{"op":"sent","id":%d,"conv":"%b","n":%d,"seq":%d,"ts":%d,"dup":%b}'
_SENT_IN_CHANNEL = b'{"op":"sent","id":%d,"conv":"%b","n":%d,"ts":%d,"dup":%b}'
_WORDS = (b"false", b"true")


def sent(
    places: SendEntry | ChangeEntry | Duplicate, command_id: int, encoding: int, *, dup: bool
) -> bytes:
    """The answer to a keyed command. Conversation ids need no escapes; in a channel is no `seq`."""
    if encoding == JSON:
        conv, n, seq, word = places.conv.encode(), places.n, places.seq, _WORDS[dup]
        if seq:
            return _SENT % (command_id, conv, n, seq, places.ts, word)
        return _SENT_IN_CHANNEL % (command_id, conv, n, places.ts, word)
    return _msgpack.encode({"op": "sent", "id": command_id, **sent_fields(places, dup=dup)})


def sent_fields(places: SendEntry | ChangeEntry | Duplicate, *, dup: bool) -> dict[str, object]:
    """The fields of `sent` besides `op` and `id`."""
    seq = {"seq": places.seq} if places.seq else {}
    return {"conv": places.conv, "n": places.n, **seq, "ts": places.ts, "dup": dup}


def encode(encoding: int, answer: object) -> bytes:
    """A whole object; in a message to a client `op` is its first member, then `id`."""
    return _json.encode(answer) if encoding == JSON else _msgpack.encode(answer)
