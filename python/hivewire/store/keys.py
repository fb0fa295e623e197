"""Keys and values of every column family, byte for byte as `docs/storage.md` has them.

A key is `partition · id · 0x00 · suffix`: one byte of hash, so that a partition is one range;
the id of a user or a conversation; a byte that no id contains; then a big-endian number, a
client's key or a device. Numbers big-endian sort like numbers. User ids have no colon and
conversation ids have one, so both may share a column family.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import NamedTuple
from zlib import crc32

FORMAT_VERSION = 3
"""The layout of the whole data directory; any other is refused at start. 1 and 2 were never
released."""

COLUMNS = (
    "timeline",
    "fanout",
    "messages",
    "conversations",
    "members",
    "marks",
    "cursors",
    "keys",
    "media",
    "devices",
    "outbox",
    "revocations",
    "meta",
)
"""Names of the column families."""

META_FORMAT = b"format"
META_EPOCH = b"epoch"
META_CREATED = b"created"
META_SECRET = b"secret"
META_MEDIA = b"media"

TYPE_MESSAGE, TYPE_EDIT, TYPE_RECALL = 1, 2, 3
TYPE_REACTION, TYPE_MEMBERSHIP, TYPE_CONVERSATION = 4, 5, 6
"""Type byte of a reference in a timeline: what the event is that it refers to."""
OP_SEND, OP_EDIT, OP_RECALL, OP_REACT = 1, 2, 3, 4
OP_CREATE, OP_ADD, OP_REMOVE, OP_UPDATE, OP_LEAVE = 5, 6, 7, 8, 9
"""Op byte of a `keys` row: what the key was used for."""
KIND_DIRECT, KIND_GROUP, KIND_CHANNEL = 1, 2, 3
"""Kind byte of a `conversations` row: how it is delivered."""
ROLE_PEER, ROLE_MEMBER, ROLE_ADMIN, ROLE_OWNER = range(4)
"""Role byte of a `members` row; nobody has a role in a direct conversation."""
HISTORY_ALL, HISTORY_JOINED = 0, 1
"""History byte of a `conversations` row: what a new member sees."""

_VERSION = 1
_POSITION = Struct(">Q")
_KEY_ROW = Struct(">BB16sQQQ")
_CURSOR_ROW = Struct(">BQQ")
_CONVERSATION_ROW = Struct(">BBQBQ")
_MEMBER_ROW = Struct(">BBQB")
_MARK_ROW = Struct(">BQQ")
_USER_ROW = Struct(">BQQ")
_PUSHED_USER_ROW = Struct(">BQQB")
_PUSHED_USER = 2
"""Version of the row of a user who has devices that are pushed to."""
_TOTAL_ROW = Struct(">BQ")

position = _POSITION.pack
"""A `seq` or an `n` as the last 8 bytes of a key."""

LAST = b"\xff" * 8
"""The suffix above every position."""

MESSAGE_VERSION = b"\x01"
"""In front of a message's JSON in `messages`."""


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


class ConversationRow(NamedTuple):
    """What a conversation is."""

    kind: int
    created: int
    """Milliseconds since the Unix epoch."""
    history: int
    size: int
    """Members."""
    name: str


class MemberRow(NamedTuple):
    """What a user is in a conversation."""

    role: int
    since: int
    """The `n` of the event with which the user came (last)."""
    kind: int
    """The kind of the conversation."""


class MarkRow(NamedTuple):
    """How far a user has got in a conversation: places up to which it was delivered and read."""

    delivered: int
    read: int


class UserRow(NamedTuple):
    """What is known of a user beside the timeline."""

    floor: int
    """The oldest `seq` still there."""
    channels: int
    """Channels that the user is in."""
    pushed: int = 0
    """Devices that have registered for pushes."""


NO_USER_ROW = UserRow(1, 0)
"""What is known of a user without a row."""


class RowError(ValueError):
    """A row has a version or a shape that this code does not know."""


PREFIXES = 8_192
"""Prefixes that are remembered, in 230 bytes each: made anew, one costs 0.7 µs."""


@lru_cache(maxsize=PREFIXES)
def prefix(name: str) -> bytes:
    """`partition · id · 0x00` of a user or a conversation: what its keys start with."""
    raw = name.encode()
    return b"%c%b\0" % (crc32(raw) & 0xFF, raw)


def partition(name: str) -> int:
    """The partition of a user or a conversation: the first byte of its keys."""
    return crc32(name.encode()) & 0xFF


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


def message_body(value: bytes) -> bytes:
    """The JSON of a `messages` value."""
    if value[:1] != MESSAGE_VERSION:
        raise RowError(f"messages row of unknown version: {value[:1].hex()}")
    return value[1:]


def key_value(op: int, digest: bytes, n: int, seq: int, ts: int, conv: str) -> bytes:
    """The value of a `keys` row; `seq` is 0 where the answer had none."""
    return _KEY_ROW.pack(_VERSION, op, digest, n, seq, ts) + conv.encode()


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
    _, cursor, ts = _CURSOR_ROW.unpack(value)
    return CursorRow(cursor, ts)


def conversation_value(
    kind: int, created: int, history: int = HISTORY_ALL, size: int = 2, name: str = ""
) -> bytes:
    """The value of a `conversations` row."""
    return _CONVERSATION_ROW.pack(_VERSION, kind, created, history, size) + name.encode()


def parse_conversation_value(value: bytes) -> ConversationRow:
    """What `conversation_value` wrote."""
    if len(value) < _CONVERSATION_ROW.size or value[0] != _VERSION:
        raise RowError(f"conversations row of unknown version or length: {value[:8].hex()}")
    _, kind, created, history, size = _CONVERSATION_ROW.unpack_from(value)
    return ConversationRow(kind, created, history, size, value[_CONVERSATION_ROW.size :].decode())


def member_value(role: int, since: int, kind: int) -> bytes:
    """The value of a `members` row, in either direction."""
    return _MEMBER_ROW.pack(_VERSION, role, since, kind)


def parse_member_value(value: bytes) -> MemberRow:
    """What `member_value` wrote."""
    if len(value) != _MEMBER_ROW.size or value[0] != _VERSION:
        raise RowError(f"members row of unknown version or length: {value[:8].hex()}")
    return MemberRow(*_MEMBER_ROW.unpack(value)[1:])


def mark_value(delivered: int, read: int) -> bytes:
    """The value of a member's row in `marks`."""
    return _MARK_ROW.pack(_VERSION, delivered, read)


def parse_mark_value(value: bytes) -> MarkRow:
    """What `mark_value` wrote."""
    if len(value) != _MARK_ROW.size or value[0] != _VERSION:
        raise RowError(f"marks row of unknown version or length: {value[:8].hex()}")
    return MarkRow(*_MARK_ROW.unpack(value)[1:])


def user_value(floor: int, channels: int, pushed: int = 0) -> bytes:
    """The value of a user's own row in `marks`."""
    if pushed:
        return _PUSHED_USER_ROW.pack(_PUSHED_USER, floor, channels, pushed)
    return _USER_ROW.pack(_VERSION, floor, channels)


def parse_user_value(value: bytes) -> UserRow:
    """What `user_value` wrote."""
    if len(value) == _PUSHED_USER_ROW.size and value[0] == _PUSHED_USER:
        return UserRow(*_PUSHED_USER_ROW.unpack(value)[1:])
    if len(value) != _USER_ROW.size or value[0] != _VERSION:
        raise RowError(f"marks row of unknown version or length: {value[:8].hex()}")
    return UserRow(*_USER_ROW.unpack(value)[1:])


BLOCK_SUFFIX = b"block:"
"""In `members`, behind a user's prefix and before the id of one whom he blocks. It sorts before
every conversation."""
BLOCK_VALUE = b"\x01"
CONVERSATION_SUFFIX = b"c"
"""Where a user's conversations begin in `members`: `channel:`, `direct:`, `group:`."""


def state_key(prefix: bytes, n: int) -> bytes:
    """The key in `conversations` of what became of message `n`."""
    return prefix + _POSITION.pack(n)


def state_value(state: bytes) -> bytes:
    """The value of such a row; `state` is JSON."""
    return MESSAGE_VERSION + state


def reaction_key(prefix: bytes, n: int, emoji: str, user: str) -> bytes:
    """The key in `conversations` of one user's reaction to message `n`. No emoji holds a 0x00."""
    return b"%b%b%b\0%b" % (prefix, _POSITION.pack(n), emoji.encode(), user.encode())


REACTION_VALUE = b"\x01"


class SeenRow(NamedTuple):
    """When a user was last there (ms, 0: never that anybody knew), and whether he hid then."""

    last_seen: int
    hidden: bool


_SEEN_ROW = Struct(">BQ?")


def seen_key(user: str) -> bytes:
    """The key of a user's `last_seen` in `marks`."""
    return prefix(user) + b"seen"


def seen_value(last_seen: int, *, hidden: bool) -> bytes:
    """The value of such a row."""
    return _SEEN_ROW.pack(_VERSION, last_seen, hidden)


def parse_seen_value(value: bytes) -> SeenRow:
    """What `seen_value` wrote."""
    if len(value) != _SEEN_ROW.size or value[0] != _VERSION:
        raise RowError(f"marks row of unknown version or length: {value[:8].hex()}")
    return SeenRow(*_SEEN_ROW.unpack(value)[1:])


def media_key(media: str) -> bytes:
    """The key in `media` of an upload."""
    return prefix(media)


def media_value(row: bytes) -> bytes:
    """The value of such a row; `row` is JSON."""
    return MESSAGE_VERSION + row


def media_body(value: bytes) -> bytes:
    """The JSON of a `media` value."""
    if value[:1] != MESSAGE_VERSION:
        raise RowError(f"media row of unknown version: {value[:1].hex()}")
    return value[1:]


def naming_key(media: str, conv: str, n: int) -> bytes:
    """The key in `media` that says that message `n` of a conversation names an upload."""
    return b"%b%b%b" % (prefix(media), conv.encode(), _POSITION.pack(n))


NAMING_VALUE = b"\x01"


def media_total_value(count: int) -> bytes:
    """The value in `meta` of the bytes of all uploads together."""
    return _TOTAL_ROW.pack(_VERSION, count)


def parse_media_total(value: bytes) -> int:
    """What `media_total_value` wrote."""
    if len(value) != _TOTAL_ROW.size or value[0] != _VERSION:
        raise RowError(f"meta row of unknown version or length: {value[:8].hex()}")
    return int(_TOTAL_ROW.unpack(value)[1])
