"""The rows of pushes, byte for byte as `docs/storage.md` has them: who is registered, what waits.

In `devices`, behind a user's prefix, `push:` and a device: its registration. In `outbox`, behind a
user's prefix, in this order: what waits for its moment (`seq`), what is to be delivered to a device
(`seq`, device), and behind all positions what was given up (`dead:`) and what was shown (`shown:`).
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import NamedTuple

import msgspec
from msgspec import Struct

from hivewire.store import keys
from hivewire.store.keys import RowError, position, prefix

REGISTERED = b"push:"
DEAD = b"dead:"
SHOWN = b"shown:"
MESSAGE, CLEAR = 1, 2
"""What byte of a push: there is a message; all up to it is read."""
SEQ_BYTES = 8

_VERSION = 1
_HELD_ROW = Layout(">BQ")
_PUSH_ROW = Layout(">BBHQQ")
_SHOWN_ROW = Layout(">BQQQ")


class Registration(Struct, gc=False, omit_defaults=True):
    """Where and how a device is pushed to."""

    kind: str
    """`webhook` or `webpush`."""
    endpoint: str
    """The name of a webhook of the settings, or the URL at a push service."""
    ts: int
    """When it was registered, ms since the Unix epoch."""
    token: str = ""
    """What the webhook's receiver knows the device by."""
    p256dh: str = ""
    auth: str = ""
    """The browser's key and secret (RFC 8291), base64url."""


class Held(NamedTuple):
    """A message that waits whether its user comes."""

    ts: int
    conv: str
    n: int


class Push(NamedTuple):
    """A push that is to be delivered to one device."""

    what: int
    attempts: int
    """How often it failed."""
    due: int
    """Not before this, ms since the Unix epoch."""
    ts: int
    """When the message was sent."""
    conv: str
    n: int


class Shown(NamedTuple):
    """The newest message of a conversation that was pushed to a device and not read since."""

    n: int
    seq: int
    ts: int
    """When it was pushed."""


class Dead(Struct, gc=False):
    """A push that was given up."""

    what: int
    attempts: int
    ts: int
    """When the message was sent."""
    conv: str
    n: int
    died: int
    """When it was given up, ms since the Unix epoch."""
    error: str
    """What went wrong last."""


class OutboxKey(NamedTuple):
    """A key of `outbox`, taken apart. Which of the four rows it is says `kind`."""

    kind: str
    """`held`, `push`, `dead` or `shown`."""
    user: str
    seq: int
    """0 of a shown one."""
    device: str
    """Empty of a held one."""
    conv: str
    """Of a shown one."""


_registration = msgspec.json.Decoder(Registration).decode
_dead = msgspec.json.Decoder(Dead).decode
_json = msgspec.json.Encoder().encode
_VERSION_BYTE = bytes((_VERSION,))


def registration_key(user: str, device: str) -> bytes:
    """The key in `devices` of a registration."""
    return prefix(user) + REGISTERED + device.encode()


def registered_range(user: str) -> tuple[bytes, bytes]:
    """The range (its end exclusive) of the registrations of a user."""
    start = prefix(user) + REGISTERED
    return start, start[:-1] + b";"


def registration_value(registration: Registration) -> bytes:
    """The value of such a row."""
    return _VERSION_BYTE + _json(registration)


def parse_registration(value: bytes) -> Registration:
    """What `registration_value` wrote."""
    return _registration(_unversioned("devices", value))


def held_key(user: str, seq: int) -> bytes:
    """The key in `outbox` of a message that waits for its moment."""
    return prefix(user) + position(seq)


def held_value(ts: int, message_key: bytes) -> bytes:
    """The value of such a row; `message_key` is the message's in `messages`."""
    return _HELD_ROW.pack(_VERSION, ts) + message_key


def parse_held(value: bytes) -> Held:
    """What `held_value` wrote."""
    if len(value) <= _HELD_ROW.size or value[0] != _VERSION:
        raise RowError(f"outbox row of unknown version or length: {value[:8].hex()}")
    _, ts = _HELD_ROW.unpack_from(value)
    return Held(ts, *keys.split_position(value[_HELD_ROW.size :]))


def push_key(user: str, seq: int, device: str) -> bytes:
    """The key in `outbox` of a push for a device."""
    return prefix(user) + position(seq) + device.encode()


def push_value(push: Push) -> bytes:
    """The value of such a row."""
    head = _PUSH_ROW.pack(_VERSION, push.what, min(push.attempts, 0xFFFF), push.due, push.ts)
    return head + prefix(push.conv) + position(push.n)


def parse_push(value: bytes) -> Push:
    """What `push_value` wrote."""
    if len(value) <= _PUSH_ROW.size or value[0] != _VERSION:
        raise RowError(f"outbox row of unknown version or length: {value[:8].hex()}")
    _, what, attempts, due, ts = _PUSH_ROW.unpack_from(value)
    return Push(what, attempts, due, ts, *keys.split_position(value[_PUSH_ROW.size :]))


def dead_key(user: str, seq: int, device: str) -> bytes:
    """The key in `outbox` of a push that was given up."""
    return prefix(user) + DEAD + position(seq) + device.encode()


def dead_value(dead: Dead) -> bytes:
    """The value of such a row."""
    return _VERSION_BYTE + _json(dead)


def parse_dead(value: bytes) -> Dead:
    """What `dead_value` wrote."""
    return _dead(_unversioned("outbox", value))


def shown_prefix(user: str, conv: str) -> bytes:
    """What the keys of all that was shown of a conversation begin with; ends with 0x00."""
    return b"%b%b%b\0" % (prefix(user), SHOWN, conv.encode())


def shown_key(user: str, conv: str, device: str) -> bytes:
    """The key in `outbox` of what a device was shown of a conversation."""
    return shown_prefix(user, conv) + device.encode()


def shown_value(shown: Shown) -> bytes:
    """The value of such a row."""
    return _SHOWN_ROW.pack(_VERSION, *shown)


def parse_shown(value: bytes) -> Shown:
    """What `shown_value` wrote."""
    if len(value) != _SHOWN_ROW.size or value[0] != _VERSION:
        raise RowError(f"outbox row of unknown version or length: {value[:8].hex()}")
    return Shown(*_SHOWN_ROW.unpack(value)[1:])


def split_outbox_key(key: bytes) -> OutboxKey:
    """Take a key of `outbox` apart. Raises RowError for one that is none."""
    user, suffix = keys.split(key)
    if suffix.startswith(DEAD):
        at = len(DEAD) + SEQ_BYTES
        seq = int.from_bytes(suffix[len(DEAD) : at], "big")
        return OutboxKey("dead", user, seq, suffix[at:].decode(), "")
    if suffix.startswith(SHOWN):
        conv, _, device = suffix[len(SHOWN) :].partition(b"\0")
        return OutboxKey("shown", user, 0, device.decode(), conv.decode())
    if len(suffix) < SEQ_BYTES or suffix[0]:
        raise RowError(f"outbox row with an unknown key: {key.hex()}")
    seq, device = int.from_bytes(suffix[:SEQ_BYTES], "big"), suffix[SEQ_BYTES:].decode()
    return OutboxKey("push" if device else "held", user, seq, device, "")


def waiting_end(user: str) -> bytes:
    """The end (exclusive) of the range of what is held and to be delivered: no `seq` reaches it."""
    return prefix(user) + b"\x01"


def _unversioned(column: str, value: bytes) -> bytes:
    if value[:1] != _VERSION_BYTE:
        raise RowError(f"{column} row of unknown version: {value[:1].hex()}")
    return value[1:]
