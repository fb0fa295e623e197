"""What a client gives to its application: events, answers to changes, and keys."""

from __future__ import annotations

import os
import time
from typing import Any, Final, Self

import msgspec

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One durable event of a conversation, as `history` and channels show it.

    Attributes:
        type: `message`, `edit`, `recall`, `reaction`, `membership` or `conversation`.
        conv: the conversation's id.
        n: its position in the conversation: 1, 2, 3 …, no hole.
        sender: who caused it (`from` on the wire).
        ts: when the server took it, in milliseconds since the Unix epoch.
        key: the sender's id of the change, None where there is none.
        text: the text of a message or edit, None where there is none.
        data: the application's object, None where there is none.
        body: all fields as they came, also those of later versions.
    """

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
    def of(cls, body: dict[str, Any], conv: str = "") -> Self:
        """The event in an object of the wire; KeyError when it is none.

        Args:
            body: the object.
            conv: the conversation, where the object need not name it.
        """
        return cls(**_fields(body, conv))

    @property
    def media(self) -> list[str]:
        """Ids of uploads that a message shows."""
        return self.body.get("media") or []

    @property
    def mentions(self) -> list[str]:
        """User ids that a message mentions."""
        return self.body.get("mentions") or []

    @property
    def reply_to(self) -> int | None:
        """The `n` that a message answers."""
        return self.body.get("reply_to")

    @property
    def target(self) -> int | None:
        """The `n` that an edit, a recall or a reaction is about."""
        return self.body.get("target")

    @property
    def edited(self) -> int | None:
        """When the message was last edited (milliseconds), in what shows its state now."""
        return self.body.get("edited")

    @property
    def recalled(self) -> int | None:
        """When the message was recalled (milliseconds): its content is gone then."""
        return self.body.get("recalled")

    @property
    def reactions(self) -> dict[str, list[str]]:
        """Who reacted by which emoji, at most 100 users each; `reaction_counts` counts all."""
        return self.body.get("reactions") or {}

    @property
    def reaction_counts(self) -> dict[str, int]:
        """How many reacted by which emoji."""
        counts: dict[str, int] = {name: len(users) for name, users in self.reactions.items()}
        return counts | (self.body.get("reaction_counts") or {})


class Event(Item, frozen=True, kw_only=True):
    """One event of the user's timeline.

    Attributes:
        seq: its position in the timeline: 1, 2, 3 …, no hole, the same on all devices.
    """

    seq: int

    @classmethod
    def of(cls, body: dict[str, Any], conv: str = "") -> Self:
        """The event in an object of the wire; KeyError when it is none."""
        return cls(seq=body["seq"], **_fields(body, conv))


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a change: it is on stable storage and will reach every member.

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
            dup=answer.get("dup", False),
            key=key,
        )


def new_key() -> str:
    """A fresh key: a ULID, 26 characters that sort by time."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10))
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))


def _fields(body: dict[str, Any], conv: str) -> dict[str, Any]:
    """What every event has."""
    return {
        "type": body["type"],
        "conv": body.get("conv", conv),
        "n": body["n"],
        "sender": body["from"],
        "ts": body["ts"],
        "key": body.get("key"),
        "text": body.get("text"),
        "data": body.get("data"),
        "body": body,
    }
