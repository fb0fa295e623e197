"""MessagePack as its specification has it, the part that JSON can say too.

`pack` writes the shortest form; `unpack` reads every form and refuses what the wire contract
forbids (binary, extensions, keys that are no strings).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_FIXED = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: "!f", 0xCB: "!d", 0xCC: "!B", 0xCD: "!H", 0xCE: "!I", 0xCF: "!Q",
    0xD0: "!b", 0xD1: "!h", 0xD2: "!i", 0xD3: "!q",
}  # fmt: skip
_SIZES = {0xD9: "!B", 0xDA: "!H", 0xDB: "!I", 0xDC: "!H", 0xDD: "!I", 0xDE: "!H", 0xDF: "!I"}
_UNSIGNED = (
    (0x80, "!B", b""),
    (1 << 8, "!B", b"\xcc"),
    (1 << 16, "!H", b"\xcd"),
    (1 << 32, "!I", b"\xce"),
)


def pack(value: Any) -> bytes:
    """Encode None, booleans, numbers, strings, lists and objects (and bytes, to be refused)."""
    return _PACKERS[type(value)](value)


def unpack(raw: bytes) -> Any:
    """Decode exactly one value; ValueError for anything else."""
    value, end = _value(raw, 0)
    if end != len(raw):
        raise ValueError(f"{len(raw) - end} bytes behind the value")
    return value


def _pack_text(value: str) -> bytes:
    raw = value.encode()
    return _head(len(raw), 0xA0, 32, (b"\xd9", b"\xda", b"\xdb")) + raw


def _pack_list(value: list[Any]) -> bytes:
    return _head(len(value), 0x90, 16, (b"", b"\xdc", b"\xdd")) + b"".join(map(pack, value))


def _pack_object(value: dict[str, Any]) -> bytes:
    body = b"".join(pack(key) + pack(item) for key, item in value.items())
    return _head(len(value), 0x80, 16, (b"", b"\xde", b"\xdf")) + body


def _pack_integer(value: int) -> bytes:
    if value >= 0:
        for bound, form, head in _UNSIGNED:
            if value < bound:
                return head + struct.pack(form, value)
        return b"\xcf" + struct.pack("!Q", value)
    return struct.pack("!b", value) if value >= -32 else b"\xd3" + struct.pack("!q", value)


def _head(size: int, fix: int, fix_bound: int, heads: tuple[bytes, bytes, bytes]) -> bytes:
    if size < fix_bound:
        return bytes([fix | size])
    if size < 1 << 8 and heads[0]:
        return heads[0] + struct.pack("!B", size)
    return (
        heads[1] + struct.pack("!H", size) if size < 1 << 16 else heads[2] + struct.pack("!I", size)
    )


def _value(raw: bytes, at: int) -> tuple[Any, int]:
    head = raw[at]
    at += 1
    if head < 0x80 or head >= 0xE0:
        return struct.unpack("!b", bytes([head]))[0], at
    if head < 0xC0:
        kind, size = (0xA0, head & 0x1F) if head >= 0xA0 else (head & 0xF0, head & 0x0F)
        return _sized(raw, at, kind, size)
    if head in _FIXED:
        return _FIXED[head], at
    if head in _NUMBERS:
        return struct.unpack_from(_NUMBERS[head], raw, at)[0], at + struct.calcsize(_NUMBERS[head])
    if head in _SIZES:
        (size,) = struct.unpack_from(_SIZES[head], raw, at)
        kind = 0xA0 if head <= 0xDB else 0x90 if head <= 0xDD else 0x80
        return _sized(raw, at + struct.calcsize(_SIZES[head]), kind, size)
    raise ValueError(f"type 0x{head:02x} is not part of the wire contract")


def _sized(raw: bytes, at: int, kind: int, size: int) -> tuple[Any, int]:
    if kind == 0xA0:
        if at + size > len(raw):
            raise ValueError("string cut short")
        return raw[at : at + size].decode(), at + size
    items: list[Any] = []
    for _ in range(size * (2 if kind == 0x80 else 1)):
        item, at = _value(raw, at)
        items.append(item)
    if kind == 0x90:
        return items, at
    if not all(isinstance(key, str) for key in items[::2]):
        raise ValueError("a key that is no string")
    return dict(zip(items[::2], items[1::2], strict=True)), at


_PACKERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\xc0",
    bool: lambda value: b"\xc3" if value else b"\xc2",
    int: _pack_integer,
    float: lambda value: b"\xcb" + struct.pack("!d", value),
    str: _pack_text,
    bytes: lambda value: b"\xc4" + struct.pack("!B", len(value)) + value,
    list: _pack_list,
    dict: _pack_object,
}
