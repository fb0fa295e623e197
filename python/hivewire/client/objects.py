"""What a client gives to its application: events of the timeline and answers to sends."""

from __future__ import annotations

import os
import time
from typing import Any, Final

import msgspec

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the user's timeline.

    Attributes:
        seq: its position in the timeline: 1, 2, 3 …, no hole.
        type: `message`, `edit`, `recall`, `reaction`, `membership` or `conversation`.
        conv: the conversation's id.
        n: its position in the conversation.
        sender: who caused it (`from` on the wire).
        ts: when the server took it, in milliseconds since the Unix epoch.
        key: the sender's id of the change, None where there is none.
        text: the text of a message or edit, None where there is none.
        data: the application's object, None where there is none.
        body: all fields as they came, also those of later versions.
    """

    seq: int
    type: str
    conv: str
    n: int
    sender: str
    ts: int
    key: str | None
    text: str | None
    data: dict[str, Any] | None
    body: dict[str, Any]

    @classmethod
    def of(cls, body: dict[str, Any]) -> Event:
        """The event in an object of the wire; KeyError when it is none."""
        return cls(
            seq=body["seq"],
            type=body["type"],
            conv=body["conv"],
            n=body["n"],
            sender=body["from"],
            ts=body["ts"],
            key=body.get("key"),
            text=body.get("text"),
            data=body.get("data"),
            body=body,
        )


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a send: it is on stable storage and will reach every member.

    Attributes:
        conv: the conversation it went to.
        n: its position in the conversation.
        seq: its position in the own timeline; None in a channel.
        ts: when the server took it, in milliseconds since the Unix epoch.
        dup: whether the key had been answered before, and this is that answer again.
        key: the key it was sent with.
    """

    conv: str
    n: int
    seq: int | None
    ts: int
    dup: bool
    key: str

    @classmethod
    def of(cls, answer: dict[str, Any], key: str) -> Sent:
        """The answer in an object of the wire; KeyError when it is none."""
        return cls(
            conv=answer["conv"],
            n=answer["n"],
            seq=answer.get("seq"),
            ts=answer["ts"],
            dup=answer["dup"],
            key=key,
        )


def new_key() -> str:
    """A fresh key: a ULID, 26 characters that sort by time."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10))
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))
