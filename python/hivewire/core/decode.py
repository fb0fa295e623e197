"""A WebSocket message in, commands and errors in order out.

One msgspec call decodes and checks nearly everything that is good; only what it refuses is looked
at again, slowly, to say what was wrong where.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from hivewire.core.checks import check
from hivewire.core.commands import JSON, OPS, Command, CommandError
from hivewire.core.limits import COMMAND_ID, COMMAND_OBJECTS, FRAME_DEPTH
from hivewire.core.values import nests_deeper_than


class _Head(Struct):
    """Of a command that is wrong: which one it is."""

    id: Any = None
    op: Any = None


_Frame = Command | list[Command]
_DECODERS: tuple[msgspec.json.Decoder[_Frame], msgspec.msgpack.Decoder[_Frame]] = (
    msgspec.json.Decoder(_Frame),
    msgspec.msgpack.Decoder(_Frame),
)
_DECODE = tuple(decoder.decode for decoder in _DECODERS)
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
        decoded = _DECODE[encoding](frame)
    except msgspec.ValidationError:
        return _decode_each(frame, encoding)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [_NOT_PARSED]
    except RecursionError:
        return [_TOO_DEEP]
    if isinstance(decoded, list):
        return _check_all(decoded, frame, encoding)
    # One flat object, the usual, has one brace and no bracket.
    if encoding == JSON and _BRACKET not in frame and frame.find(_BRACE, 1) < 0:
        return [check(decoded)]
    return _check_all([decoded], frame, encoding)


def _check_all(decoded: list[Command], frame: bytes, encoding: int) -> list[Command | CommandError]:
    if len(decoded) > COMMAND_OBJECTS:
        return [_TOO_MANY]
    if _may_be_deep(frame, encoding, len(decoded)) and _is_too_deep(frame, encoding):
        return [_TOO_DEEP]
    return list(map(check, decoded))


def _may_be_deep(frame: bytes, encoding: int, objects: int) -> bool:
    """Whether there are enough containers for one to lie too deep: nearly always not."""
    if encoding == JSON:
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
        return check(_ONE[encoding].decode(piece))
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
    if op is not None and op not in OPS:
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
