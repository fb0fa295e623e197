"""What planning a command can come to: an entry that carries all that was decided, or a refusal.

Entries hold nothing but plain values, so that they can be journal records: applying one again, on
any machine, gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from hivewire.store.pushes import Registration


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
    """The place in the sender's own timeline; 0 in a channel."""
    members: tuple[tuple[str, int], ...]
    """Each member, the sender too, with the place in that member's timeline; none in a channel."""
    text: str | None = None
    media: list[str] | None = None
    data: dict[str, Any] | None = None
    reply_to: int | None = None
    mentions: list[str] | None = None


class Part(Struct, gc=False):
    """One event of a change, with its places."""

    n: int
    kind: int
    """Type byte of the timeline rows, such as `keys.TYPE_EDIT`."""
    members: tuple[tuple[str, int], ...]
    """Those into whose timelines it goes, with the place in each."""
    body: dict[str, Any]
    """The event without `op` and `seq`."""


class ChangeEntry(Struct, gc=False, tag="change"):
    """What a keyed command other than `send` changes: its events, and rows besides."""

    op: int
    """What the key was used for, such as `keys.OP_EDIT`."""
    user: str
    device: str
    conv: str
    key: str
    digest: bytes
    """What was asked for, by value: 16 bytes."""
    n: int
    """The place that is answered: the last part's, or the head where nothing changed."""
    seq: int
    """The place in the caller's own timeline, 0 if there is none."""
    ts: int
    parts: tuple[Part, ...]
    effects: tuple[Effect, ...]


class SetState(Struct, gc=False, tag="state"):
    """What became of message `n`: its text now, its reactions counted, or that it was recalled."""

    n: int
    state: dict[str, Any]


class Rewrite(Struct, gc=False, tag="rewrite"):
    """Event `n` loses its body, because its message was recalled."""

    n: int
    body: dict[str, Any]


class SetReaction(Struct, gc=False, tag="reaction"):
    """A user's emoji on message `n`, or off it."""

    n: int
    emoji: str
    user: str
    on: bool


class SetConversation(Struct, gc=False, tag="conversation"):
    """What a conversation is from now on."""

    kind: int
    created: int
    history: int
    size: int
    name: str


class SetMember(Struct, gc=False, tag="member"):
    """A member comes, or gets another role, or another kind of conversation."""

    user: str
    role: int
    since: int
    kind: int
    mark: int | None
    """Where the marks start, if this user was no member before."""


class DropMember(Struct, gc=False, tag="gone"):
    """A member goes."""

    user: str


class CountChannel(Struct, gc=False, tag="channels"):
    """A user is in one channel more, or less."""

    user: str
    by: int


class Unname(Struct, gc=False, tag="unname"):
    """Message `n` names these uploads no more, because it was recalled."""

    n: int
    media: list[str]


Effect = (
    SetState
    | Rewrite
    | SetReaction
    | SetConversation
    | SetMember
    | DropMember
    | CountChannel
    | Unname
)


class BlockEntry(Struct, gc=False, tag="block"):
    """A user blocks another one, or no longer."""

    user: str
    other: str
    on: bool


class MarkEntry(Struct, gc=False, tag="mark"):
    """A user has got, or read, a conversation up to these places. They never go back."""

    user: str
    conv: str
    delivered: int
    read: int


class CursorEntry(Struct, gc=False, tag="cursor"):
    """A device has acknowledged its timeline up to `cursor`. It only ever moves forward (I6)."""

    user: str
    device: str
    cursor: int
    ts: int
    since: int
    """Where the cursor was when it was last written: what came since is delivered by this."""


class DeviceEntry(Struct, gc=False, tag="device"):
    """A device connected for the first time, or said where it is: the cursor is set, back too."""

    user: str
    device: str
    cursor: int
    ts: int
    since: int
    """Where the cursor was; of a new device where it begins."""


class TrimEntry(Struct, gc=False, tag="trim"):
    """A timeline begins at `floor`: what is below it is older than the retention."""

    user: str
    floor: int


class ForgetEntry(Struct, gc=False, tag="forget"):
    """A device that was not heard of for the retention is no longer known."""

    user: str
    device: str


class RevokeEntry(Struct, gc=False, tag="revoke"):
    """What was issued to a user before `since` (ms since the Unix epoch) counts no more."""

    user: str
    since: int
    expired: tuple[str, ...] = ()
    """Users of whom this need not be remembered any longer."""


class KeysEntry(Struct, gc=False, tag="keys"):
    """The public keys of a device; an empty object: it has none any more."""

    user: str
    device: str
    keys: dict[str, Any]
    ts: int


class PresenceEntry(Struct, gc=False, tag="presence"):
    """A user is there no more, for all others to know."""

    user: str
    last_seen: int
    """When he was last there, ms since the Unix epoch; 0: never that anybody knew."""
    hidden: bool = False
    """Whether he is there and hides it: then nothing newer may be told from what he does."""


class RegisterEntry(Struct, gc=False, tag="register"):
    """A device wants pushes, or wants them elsewhere."""

    user: str
    device: str
    count: int
    """Devices of the user that are registered from now on."""
    registration: Registration


class UnregisterEntry(Struct, gc=False, tag="unregister"):
    """A device wants no pushes any more, or its push service says that it is gone."""

    user: str
    device: str
    count: int


class OutboxEntry(Struct, gc=False, tag="outbox"):
    """Rows of the outbox that go and come: pushes made, tried, delivered, given up."""

    gone: tuple[bytes, ...]
    """Keys."""
    rows: tuple[tuple[bytes, bytes], ...]
    """Keys and values."""


class MediaEntry(Struct, gc=False, tag="media"):
    """An upload whose bytes are on stable storage, or one of the same bytes as an older one."""

    media: str
    """Its id: the SHA-256 of its bytes, 64 hex digits."""
    user: str
    ts: int
    mime: str
    bytes: int
    width: int | None
    """Pixels of a picture; None for anything else."""
    height: int | None
    thumbnail: bool
    total: int
    """Bytes of all uploads together, with this one."""


class MediaGoneEntry(Struct, gc=False, tag="media gone"):
    """An upload that no message names, and nobody may name any more."""

    media: str
    total: int


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
    """0 where the original answer had none."""
    ts: int
    op: int


class Pending(Struct, gc=False):
    """An outcome that rests on something not durable yet: it may be told only once that is."""

    outcome: Duplicate | Rejection
