"""What planning a command can come to: an entry that carries all that was decided, or a refusal.

Entries hold nothing but plain values, so that they can be journal records: applying one again, on
any machine, gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class SendEntry(Struct, gc=False, tag="send"):
    """A message with its places: what `apply_send` turns into rows and deliveries."""

    user: str
    device: str
    conv: str
    key: str
    digest: bytes
    """What the body is, by value: 16 bytes."""
    n: int
    ts: int
    """Milliseconds since the Unix epoch."""
    seq: int
    """The place in the sender's own timeline."""
    members: tuple[tuple[str, int], ...]
    """Each member, the sender too, with the place in that member's timeline."""
    text: str | None = None
    media: list[str] | None = None
    data: dict[str, Any] | None = None
    reply_to: int | None = None
    mentions: list[str] | None = None


class CursorEntry(Struct, gc=False, tag="cursor"):
    """A device has acknowledged its timeline up to `cursor`. It only ever moves forward (I6)."""

    user: str
    device: str
    cursor: int
    ts: int


class DeviceEntry(Struct, gc=False, tag="device"):
    """A device connected for the first time, or said where it is: the cursor is set, back too."""

    user: str
    device: str
    cursor: int
    ts: int


class Rejection(Struct, gc=False):
    """A command that is not done: the fields of its `error`."""

    code: str
    message: str
    field: str | None = None
    retryable: bool = False
    retry_after_ms: int | None = None


class Duplicate(Struct, gc=False):
    """A key that was used before for the same: the fields of its original `sent`."""

    conv: str
    n: int
    seq: int
    ts: int


class Pending(Struct, gc=False):
    """An outcome that rests on something not durable yet: it may be told only once that is."""

    outcome: Duplicate | Rejection
