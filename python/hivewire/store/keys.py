"""Keys and values of every column family, byte for byte as `docs/storage.md` has them.

A key is `partition · id · 0x00 · suffix`: one byte of hash, so that a partition is one range;
the id of a user or a conversation; a byte that no id contains; then a big-endian number, a
client's key or a device. Numbers big-endian sort like numbers. User ids have no colon and
conversation ids have one, so both may share a column family.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple
from zlib import crc32

FORMAT_VERSION = 1
"""The layout of the whole data directory; a newer one is refused at start."""

COLUMNS = (
    "timeline",
    "messages",
    "conversations",
    "members",
    "marks",
    "cursors",
    "keys",
    "devices",
    "outbox",
    "meta",
)
"""Names of the column families."""

META_FORMAT = b"format"
META_EPOCH = b"epoch"
META_CREATED = b"created"
META_SECRET = b"secret"

TYPE_MESSAGE = 1
"""Type byte of a timeline row that refers to a message."""
OP_SEND = 1
"""Op byte of a `keys` row."""
KIND_DIRECT = 1
"""Kind byte of a `conversations` row."""
ROLE_PEER = 0
"""Role byte of a `members` row in a direct conversation: nobody there has a role."""

_VERSION = 1
_POSITION = Struct(">Q")
_KEY_ROW = Struct(">BB16sQQQ")
_CURSOR_ROW = Struct(">BQQ")
_SMALL_ROW = Struct(">BBQ")
_FLOOR_ROW = Struct(">BQ")

position = _POSITION.pack
"""A `seq` or an `n` as the last 8 bytes of a key."""

LAST = b"\xff" * 8
"""The suffix above every position."""

MESSAGE_VERSION = b"\x01"
"""In front of a message's JSON in `messages`."""
MESSAGE_REFERENCE = bytes((_VERSION, TYPE_MESSAGE))
"""In front of a key of `messages`, makes the value of a `timeline` row."""


class KeyRow(NamedTuple):
    """What a client's key was used for, and the answer it got."""

    op: int
    digest: bytes
    n: int
    seq: int
    ts: int
    conv: str


class CursorRow(NamedTuple):
    """How far a device has acknowledged its user's timeline, and when that was written."""

    cursor: int
    ts: int


class SmallRow(NamedTuple):
    """A `conversations` row (kind, created at ms) or a `members` row (role, since n)."""

    tag: int
    number: int


class RowError(ValueError):
    """A row has a version or a shape that this code does not know."""


def prefix(name: str) -> bytes:
    """`partition · id · 0x00` of a user or a conversation: what its keys start with."""
    raw = name.encode()
    return b"%c%b\0" % (crc32(raw) & 0xFF, raw)


def split(key: bytes) -> tuple[str, bytes]:
    """The id in a key and the suffix behind it."""
    end = key.index(0, 1)
    return key[1:end].decode(), key[end + 1 :]


def split_position(key: bytes) -> tuple[str, int]:
    """The id in a key of `timeline` or `messages`, and its `seq` or `n`."""
    return key[1:-9].decode(), int.from_bytes(key[-8:], "big")


def position_of(key: bytes) -> int:
    """The `seq` or `n` at the end of a key."""
    return int.from_bytes(key[-8:], "big")


def range_end(start: bytes) -> bytes:
    """The end (exclusive) of the range of all keys that begin with a `prefix`."""
    return start[:-1] + b"\x01"


def message_key_of(reference: bytes) -> bytes:
    """The key in `messages` that a `timeline` value refers to."""
    if reference[:2] != MESSAGE_REFERENCE:
        raise RowError(f"timeline row of unknown version or type: {reference[:2].hex()}")
    return reference[2:]


def message_body(value: bytes) -> bytes:
    """The JSON of a `messages` value."""
    if value[:1] != MESSAGE_VERSION:
        raise RowError(f"messages row of unknown version: {value[:1].hex()}")
    return value[1:]


def key_value(digest: bytes, n: int, seq: int, ts: int, conv: str) -> bytes:
    """The value of a `keys` row that a `send` used."""
    return _KEY_ROW.pack(_VERSION, OP_SEND, digest, n, seq, ts) + conv.encode()


def parse_key_value(value: bytes) -> KeyRow:
    """What `key_value` wrote."""
    if len(value) <= _KEY_ROW.size or value[0] != _VERSION:
        raise RowError(f"keys row of unknown version or length: {value[:8].hex()}")
    _, op, digest, n, seq, ts = _KEY_ROW.unpack_from(value)
    return KeyRow(op, digest, n, seq, ts, value[_KEY_ROW.size :].decode())


def cursor_value(cursor: int, ts: int) -> bytes:
    """The value of a `cursors` row."""
    return _CURSOR_ROW.pack(_VERSION, cursor, ts)


def parse_cursor_value(value: bytes) -> CursorRow:
    """What `cursor_value` wrote."""
    if len(value) != _CURSOR_ROW.size or value[0] != _VERSION:
        raise RowError(f"cursors row of unknown version or length: {value[:8].hex()}")
    return CursorRow(*_CURSOR_ROW.unpack(value)[1:])


def conversation_value(kind: int, created: int) -> bytes:
    """The value of a `conversations` row."""
    return _SMALL_ROW.pack(_VERSION, kind, created)


def member_value(role: int, since: int) -> bytes:
    """The value of a `members` row."""
    return _SMALL_ROW.pack(_VERSION, role, since)


def parse_small_value(value: bytes) -> SmallRow:
    """What `conversation_value` or `member_value` wrote."""
    if len(value) != _SMALL_ROW.size or value[0] != _VERSION:
        raise RowError(f"row of unknown version or length: {value[:8].hex()}")
    return SmallRow(*_SMALL_ROW.unpack(value)[1:])


def floor_value(floor: int) -> bytes:
    """The value of a user's own row in `marks`: the oldest `seq` still kept."""
    return _FLOOR_ROW.pack(_VERSION, floor)


def parse_floor_value(value: bytes) -> int:
    """What `floor_value` wrote."""
    if len(value) != _FLOOR_ROW.size or value[0] != _VERSION:
        raise RowError(f"marks row of unknown version or length: {value[:8].hex()}")
    return int(_FLOOR_ROW.unpack(value)[1])
