"""Commands as typed values: a WebSocket message in, commands and errors in order out.

One msgspec call decodes and checks nearly everything that is good; only what it refuses is looked
at again, slowly, to say what was wrong where. One set of Structs serves both encodings.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from hivewire.core.limits import (
    COMMAND_ID,
    COMMAND_OBJECTS,
    DATA_BYTES,
    FRAME_DEPTH,
    POSITION,
    TEXT_BYTES,
)
from hivewire.core.names import is_key, is_name
from hivewire.core.values import nests_deeper_than, problem_in

JSON: Final = 0
MSGPACK: Final = 1

CommandId = Annotated[int, Meta(ge=1, le=COMMAND_ID)]
Position = Annotated[int, Meta(ge=0, le=POSITION)]
Count = Annotated[int, Meta(ge=1)]


class HeartbeatWish(Struct):
    """What a client asks its heartbeat to be; the answer says what it got."""

    interval_ms: int | None = None
    from_: Literal["server", "client"] | None = msgspec.field(default=None, name="from")


class Connect(Struct, tag_field="op", tag="connect"):
    """The first command: who this is and where it goes on from."""

    id: CommandId
    token: str | None = None
    ticket: str | None = None
    device: str | None = None
    epoch: str | None = None
    cursor: Annotated[int, Meta(ge=0)] | None = None
    sync: Count | None = None
    heartbeat: HeartbeatWish | None = None


class Refresh(Struct, tag_field="op", tag="refresh"):
    """A newer token for this connection."""

    id: CommandId
    token: str


class Send(Struct, tag_field="op", tag="send", gc=False):
    """A message. Absent, null and None are the same for what may be left out."""

    id: CommandId
    to: str
    key: str
    text: str | None = None
    media: list[str] | None = None
    data: dict[str, Any] | None = None
    reply_to: Annotated[int, Meta(ge=1, le=POSITION)] | None = None
    mentions: list[str] | None = None


class Ack(Struct, tag_field="op", tag="ack", gc=False):
    """This device holds everything up to `seq`."""

    seq: Position
    id: CommandId | None = None


class Sync(Struct, tag_field="op", tag="sync", gc=False):
    """A page of what comes behind `after`."""

    id: CommandId
    after: Position
    limit: Count = 100


class Heartbeat(Struct, tag_field="op", tag="heartbeat", gc=False):
    """Another heartbeat for this connection."""

    id: CommandId
    interval_ms: int | None = None
    from_: Literal["server", "client"] | None = msgspec.field(default=None, name="from")


class Ping(Struct, tag_field="op", tag="ping", gc=False):
    """Are you there?"""

    id: CommandId | None = None


class Pong(Struct, tag_field="op", tag="pong", gc=False):
    """I am here."""

    id: CommandId | None = None


Command = Send | Ack | Sync | Connect | Refresh | Heartbeat | Ping | Pong


class CommandError(Struct, gc=False):
    """A command, or a whole message (then without `id` and `op`), that is wrong in itself."""

    id: int | None
    code: str
    message: str
    field: str | None = None
    op: str | None = None


class _Head(Struct):
    """Of a command that is wrong: which one it is."""

    id: Any = None
    op: Any = None


_Frame = Command | list[Command]
_DECODERS: tuple[msgspec.json.Decoder[_Frame], msgspec.msgpack.Decoder[_Frame]] = (
    msgspec.json.Decoder(_Frame),
    msgspec.msgpack.Decoder(_Frame),
)
_ONE = (msgspec.json.Decoder(Command), msgspec.msgpack.Decoder(Command))
_HEADS = (msgspec.json.Decoder(_Head), msgspec.msgpack.Decoder(_Head))
_LOOSE = (msgspec.json.Decoder(), msgspec.msgpack.Decoder())
_RAW_LISTS = (
    msgspec.json.Decoder(list[msgspec.Raw]),
    msgspec.msgpack.Decoder(list[msgspec.Raw]),
)
# A byte as a number is found six times faster than as `bytes`.
_BRACKET, _BRACE = b"[{"
_MSGPACK_CONTAINERS = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
_data_json = msgspec.json.Encoder()

_OPS = frozenset({"connect", "refresh", "send", "ack", "sync", "heartbeat", "ping", "pong"})

_NOT_PARSED = CommandError(None, "bad_request", "the message does not parse")
_TOO_DEEP = CommandError(
    None, "bad_request", f"the message nests more than {FRAME_DEPTH} levels deep"
)
_TOO_MANY = CommandError(
    None, "too_large", f"the message holds more than {COMMAND_OBJECTS} objects"
)
_NO_OBJECTS = CommandError(None, "bad_request", "the message is not an object or an array of them")


def decode_frame(frame: bytes, encoding: int) -> list[Command | CommandError]:
    """The commands in one WebSocket message, in order; each that is wrong has its error there.

    A message that is wrong as a whole gives one error without `id`. An empty array gives nothing.
    """
    try:
        decoded = _DECODERS[encoding].decode(frame)
    except msgspec.ValidationError:
        return _decode_each(frame, encoding)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [_NOT_PARSED]
    except RecursionError:
        return [_TOO_DEEP]
    count = len(decoded) if isinstance(decoded, list) else 1
    if count > COMMAND_OBJECTS:
        return [_TOO_MANY]
    if _may_be_deep(frame, encoding, count) and _is_too_deep(frame, encoding):
        return [_TOO_DEEP]
    return list(map(_check, decoded)) if isinstance(decoded, list) else [_check(decoded)]


def _check(command: Command) -> Command | CommandError:
    """What the types cannot say. Nothing is done for the small commands."""
    if type(command) is Send:
        return _check_send(command)
    if type(command) is Connect and command.device is not None and not is_name(command.device):
        return _malformed(command.id, "device", "connect")
    return command


def _check_send(command: Send) -> Send | CommandError:
    """Sizes and characters of a message. Short text alone, the usual, takes the short way."""
    if not is_key(command.key):
        return _malformed(command.id, "key", "send")
    text = command.text
    # A character has at most 4 bytes.
    if text and len(text) > TEXT_BYTES // 4 and len(text.encode()) > TEXT_BYTES:
        return _too_large(command.id, "text", TEXT_BYTES)
    if command.data is None and command.media is None and command.mentions is None:
        return command if text else _without_body(command.id)
    return _check_rich_send(command)


def _check_rich_send(command: Send) -> Send | CommandError:
    if command.data is None and not command.text and not command.media:
        return _without_body(command.id)
    for field, names in (("media", command.media), ("mentions", command.mentions)):
        if names is not None and not all(map(is_name, names)):
            return _malformed(command.id, field, "send")
    if command.data is None:
        return command
    problem = problem_in(command.data)
    if problem is not None:
        return CommandError(command.id, "bad_request", f"`data` {problem}", "data", "send")
    if len(_data_json.encode(command.data)) > DATA_BYTES:
        return _too_large(command.id, "data", DATA_BYTES)
    return command


def _malformed(command_id: int, field: str, op: str) -> CommandError:
    return CommandError(command_id, "bad_request", f"`{field}` is malformed", field, op)


def _too_large(command_id: int, field: str, bound: int) -> CommandError:
    message = f"`{field}` is larger than {bound} bytes"
    return CommandError(command_id, "too_large", message, field, "send")


def _without_body(command_id: int) -> CommandError:
    message = "a message needs `text`, `media` or `data`"
    return CommandError(command_id, "bad_request", message, "text", "send")


def _may_be_deep(frame: bytes, encoding: int, objects: int) -> bool:
    """Whether there are enough containers for one to lie too deep: nearly always not."""
    if encoding == JSON:
        if _BRACKET not in frame and _BRACE not in frame[1:]:
            return False
        containers = frame.count(b"[") + frame.count(b"{")
    else:
        # Bytes of text count as well, so this can only be too high.
        containers = len(frame) - len(frame.translate(None, _MSGPACK_CONTAINERS))
    return containers > objects + FRAME_DEPTH - 1


def _is_too_deep(frame: bytes, encoding: int) -> bool:
    """Whether containers nest too deep, in fields that nobody looks at too."""
    try:
        return nests_deeper_than(FRAME_DEPTH, _LOOSE[encoding].decode(frame))
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
        # Only in a field that nobody looks at: what was asked for has been decoded.
        return False


def _decode_each(frame: bytes, encoding: int) -> list[Command | CommandError]:
    """The same for a message in which something has the wrong type."""
    try:
        pieces = _RAW_LISTS[encoding].decode(frame)
    except msgspec.ValidationError:
        pieces = [msgspec.Raw(frame)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [_NOT_PARSED]
    except RecursionError:
        return [_TOO_DEEP]
    if len(pieces) > COMMAND_OBJECTS:
        return [_TOO_MANY]
    if _is_too_deep(frame, encoding):
        return [_TOO_DEEP]
    return [_decode_one(bytes(piece), encoding) for piece in pieces]


def _decode_one(piece: bytes, encoding: int) -> Command | CommandError:
    try:
        return _check(_ONE[encoding].decode(piece))
    except msgspec.ValidationError as error:
        return _explain(piece, encoding, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOT_PARSED


_FIELD_MISSING = re.compile(r"Object missing required field `(\w+)`").match
_FIELD_WRONG = re.compile(r".* - at (?:`key` in )?`\$\.(\w+)").match


def _explain(piece: bytes, encoding: int, reason: str) -> CommandError:
    """The error of one command that is wrong in itself: its id if it has a good one, the field."""
    try:
        head = _HEADS[encoding].decode(piece)
    except msgspec.ValidationError:
        return _NO_OBJECTS
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOT_PARSED
    command_id = head.id if type(head.id) is int and 1 <= head.id <= COMMAND_ID else None
    op = head.op if isinstance(head.op, str) else None
    if op is not None and op not in _OPS:
        return CommandError(command_id, "unsupported", "there is no such op", "op", op[:64])
    found = _FIELD_MISSING(reason) or _FIELD_WRONG(reason)
    field = found[1] if found else None
    return CommandError(command_id, "bad_request", _sentence(reason, field), field, op)


def _sentence(reason: str, field: str | None) -> str:
    if field is None:
        return "the command is malformed"
    if reason.startswith("Object missing"):
        return f"`{field}` is missing"
    return f"`{field}` is wrong: {reason.partition(' - at ')[0][:200]}"
