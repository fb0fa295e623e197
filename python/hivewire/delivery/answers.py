"""Answers as bytes: `sent`, which is asked for most, and any other object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from hivewire.core.entries import ChangeEntry, Duplicate, SendEntry

JSON = 0
MSGPACK = 1

_ENCODE = (msgspec.json.Encoder().encode, msgspec.msgpack.Encoder().encode)
"""By encoding."""


class _Sent(Struct, gc=False, tag_field="op", tag="sent"):
    """`sent` of what has a place in the caller's timeline."""

    id: int
    conv: str
    n: int
    seq: int
    ts: int
    dup: bool


class _SentInChannel(Struct, gc=False, tag_field="op", tag="sent"):
    """`sent` of what has none."""

    id: int
    conv: str
    n: int
    ts: int
    dup: bool


def sent(
    places: SendEntry | ChangeEntry | Duplicate, command_id: int, encoding: int, *, dup: bool
) -> bytes:
    """The answer to a keyed command; in a channel is no `seq`."""
    conv, n, seq, ts = places.conv, places.n, places.seq, places.ts
    if seq:
        return _ENCODE[encoding](_Sent(command_id, conv, n, seq, ts, dup))
    return _ENCODE[encoding](_SentInChannel(command_id, conv, n, ts, dup))


def sent_fields(places: SendEntry | ChangeEntry | Duplicate, *, dup: bool) -> dict[str, object]:
    """The fields of `sent` besides `op` and `id`."""
    seq = {"seq": places.seq} if places.seq else {}
    return {"conv": places.conv, "n": places.n, **seq, "ts": places.ts, "dup": dup}


def encode(encoding: int, answer: object) -> bytes:
    """A whole object; in a message to a client `op` is its first member, then `id`."""
    return _ENCODE[encoding](answer)
