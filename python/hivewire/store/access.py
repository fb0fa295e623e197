"""Rows about who may come in and whose keys are known, byte for byte as in `docs/storage.md`.

In `revocations`, by user: since when tokens count. In `devices`, behind a user's prefix, `keys:`
and a device: the public keys that it has put there.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import NamedTuple

from hivewire.store.keys import RowError, prefix, split

DEVICE_KEYS = b"keys:"

_VERSION = 1
_REVOKED_ROW = Layout(">BQ")
_KEYS_HEAD = Layout(">BQ")


class DeviceKeys(NamedTuple):
    """What a device has published, and when (ms since the Unix epoch)."""

    ts: int
    keys: bytes
    """A JSON object; what it means is the clients' affair."""


def revoked_key(user: str) -> bytes:
    """The key in `revocations` of a user."""
    return prefix(user)


def revoked_value(since: int) -> bytes:
    """The value of such a row: what was issued before `since` (ms) does not count."""
    return _REVOKED_ROW.pack(_VERSION, since)


def parse_revoked(key: bytes, value: bytes) -> tuple[str, int]:
    """The user of such a row, and since when his tokens count."""
    user, suffix = split(key)
    if suffix or len(value) != _REVOKED_ROW.size or value[0] != _VERSION:
        raise RowError(f"revocations row of unknown version or length: {value[:8].hex()}")
    return user, _REVOKED_ROW.unpack(value)[1]


def keys_key(user: str, device: str) -> bytes:
    """The key in `devices` of a device's public keys."""
    return prefix(user) + DEVICE_KEYS + device.encode()


def keys_range(user: str) -> tuple[bytes, bytes]:
    """The range (its end exclusive) of all public keys of a user."""
    start = prefix(user) + DEVICE_KEYS
    return start, start[:-1] + b";"


def device_of(key: bytes) -> str:
    """The device in such a key."""
    return split(key)[1].removeprefix(DEVICE_KEYS).decode()


def keys_value(ts: int, keys: bytes) -> bytes:
    """The value of such a row; `keys` is a JSON object."""
    return _KEYS_HEAD.pack(_VERSION, ts) + keys


def parse_keys(value: bytes) -> DeviceKeys:
    """What `keys_value` wrote."""
    if len(value) <= _KEYS_HEAD.size or value[0] != _VERSION:
        raise RowError(f"devices row of unknown version or length: {value[:8].hex()}")
    return DeviceKeys(_KEYS_HEAD.unpack_from(value)[1], value[_KEYS_HEAD.size :])
