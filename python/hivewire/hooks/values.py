"""What hooks are given, what they give back, and how they refuse.

Names are those of the Python client: `sender`, `conv`, `n`, `ts`, `key`, `text`, `data`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct

from hivewire.core.codes import ERRORS

REFUSALS: Final = frozenset(ERRORS)
"""The error codes of the protocol: what a refused client may be told."""


class Refuse(Exception):
    """Raised by a hook: no. The client is told `reason`.

    Args:
        reason: a sentence for whoever is refused.
        code: an error code of the protocol, section 3. Only a refused message shows it: a refused
            connection is closed with 4507.
        field: the field of the command that was wrong, if it was one.
        retryable: whether the same command may succeed later.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str = "forbidden",
        field: str | None = None,
        retryable: bool = False,
    ) -> None:
        if code not in REFUSALS:
            raise ValueError(f"{code!r} is no error code of the protocol")
        super().__init__(reason)
        self.reason = reason
        """Its first 1,000 characters are told."""
        self.code = code
        self.field = field
        self.retryable = retryable


class NotSent(Exception):
    """A message of the application was refused: the fields of the `error` a client would get.

    Args:
        code: an error code of the protocol, section 3.
        reason: why.
        field: what was wrong, if it was one field.
        retryable: whether the same send may succeed later.
    """

    def __init__(
        self, code: str, reason: str, *, field: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.field = field
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows of itself; for `authenticate`."""

    token: str
    """As it came: a JWT, a session cookie's value, anything the client has."""
    device: str | None
    """What the client calls its device; nothing has checked it yet."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is; from `authenticate`."""

    user: str
    """A well-formed user id: 1 to 64 of `A-Z a-z 0-9 . _ ~ @ + = / -`."""
    device: str | None = None
    """The only device that may use these credentials; None for any."""
    expires: int | None = None
    """When the connection must show newer ones, in Unix seconds; None: in 24 hours."""


@dataclass(slots=True, eq=False)
class Session:
    """One connection of one device, from `on_connect` to `on_disconnect`: the same object."""

    user: str
    device: str
    id: str
    """As `connected.session` names it."""
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    """The application's own."""


@dataclass(slots=True, eq=False)
class Message:
    """A message, or a new text for one, that is about to be stored; for `on_send`.

    What a hook changes in `text`, `media`, `data` and `mentions` is what is stored; the rest only
    tells. An edit has a `text` and nothing else.
    """

    sender: str
    device: str
    conv: str
    """`direct:A,B`, `group:G` or `channel:C`."""
    key: str
    text: str | None = None
    media: list[str] | None = None
    """Ids of uploads."""
    data: dict[str, Any] | None = None
    reply_to: int | None = None
    mentions: list[str] | None = None
    edit_of: int | None = None
    """The `n` of the message that gets a new text; None if this is a new message."""
    session: Session | None = None
    """Of the connection it came on; None unless the application has `on_connect` or
    `on_disconnect`."""


class Event(Struct, frozen=True, kw_only=True):
    """A durable event of a conversation; for `on_event` and `on_offline`."""

    type: str
    """`message`, `edit`, `recall`, `reaction`, `membership` or `conversation`."""
    conv: str
    n: int
    """Its place in the conversation: 1, 2, 3 …, no hole."""
    sender: str
    """Who caused it (`from` on the wire)."""
    ts: int
    """When it was taken, in milliseconds since the Unix epoch."""
    key: str | None
    text: str | None
    data: dict[str, Any] | None
    body: dict[str, Any]
    """All fields as clients get them, but `op` and `seq`."""

    @classmethod
    def of(cls, body: dict[str, Any]) -> Event:
        """The event in an object of the wire."""
        return cls(
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


class Sent(Struct, frozen=True, kw_only=True):
    """A message of the application is on stable storage and will reach every member."""

    conv: str
    n: int
    """Its place in the conversation."""
    seq: int | None
    """Its place in the sender's timeline; None in a channel."""
    ts: int
    """When it was taken, in milliseconds since the Unix epoch."""
    dup: bool
    """Whether the key had been used for the same before, and this is that answer again."""
    key: str
