"""Revocations, and the public keys of devices: decided, applied, read.

The node never looks into keys: they are an object of bounded size that others may read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core import events
from hivewire.core.entries import KeysEntry, Rejection
from hivewire.core.limits import DEVICES_WITH_KEYS
from hivewire.store import access

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.auth import Revocations
    from hivewire.core.entries import ForgetEntry, RevokeEntry
    from hivewire.core.overlay import Pending
    from hivewire.core.view import View
    from hivewire.store import Batch, Store

ROWS_AT_A_TIME = 512
TOO_MANY_DEVICES = Rejection(
    "too_large",
    f"{DEVICES_WITH_KEYS} devices have keys; take those of an old one away first",
    "device",
)


def load_revocations(store: Store, into: Revocations, before: int) -> None:
    """Read all revocations but those that are older than `before` (ms): they have expired."""
    start = b""
    while rows := store.scan(store.columns.revocations, start, None, ROWS_AT_A_TIME):
        for key, value in rows:
            user, since = access.parse_revoked(key, value)
            if since >= before:
                into.note(user, since)
        start = rows[-1][0] + b"\0"


def apply_revoke(entry: RevokeEntry, store: Store, batch: Batch) -> None:
    """Put the row of a revocation, and take away those that have expired."""
    column = store.columns.revocations
    for user in entry.expired:
        batch.delete(access.revoked_key(user), column)
    batch.put(access.revoked_key(entry.user), access.revoked_value(entry.since), column)


def plan_keys(
    user: str, device: str, keys: dict[str, Any], view: View, now_ms: int
) -> KeysEntry | Rejection | None:
    """Decide about the keys of a device, none to take them away; None if that is nothing new."""
    known = view.overlay.get("devices", access.keys_key(user, device))
    if not keys:
        return None if known is None else KeysEntry(user, device, {}, now_ms)
    wanted = events.encode(keys)
    if known is not None and access.parse_keys(known).keys == wanted:
        return None
    if known is None and _devices_with_keys(user, view) >= DEVICES_WITH_KEYS:
        return TOO_MANY_DEVICES
    return KeysEntry(user, device, keys, now_ms)


def _devices_with_keys(user: str, view: View) -> int:
    """How many devices of a user have keys, as planned."""
    start, end = access.keys_range(user)
    rows = view.store.scan(view.store.columns.devices, start, end, 2 * DEVICES_WITH_KEYS)
    found = {key for key, _ in rows}
    for key, value in view.overlay.under("devices", start):
        if value is None:
            found.discard(key)
        else:
            found.add(key)
    return len(found)


def apply_keys(entry: KeysEntry, view: View, batch: Batch) -> Pending:
    """Put or delete the row of a device's keys; returns what the overlay holds of it."""
    row = access.keys_key(entry.user, entry.device)
    if not entry.keys:
        batch.delete(row, view.store.columns.devices)
        return view.overlay.gone("devices", row)
    value = access.keys_value(entry.ts, events.encode(entry.keys))
    return view.overlay.put("devices", row, value, batch.put)


def forget_keys(entry: ForgetEntry, store: Store, batch: Batch) -> None:
    """A device that is not known any more has no keys."""
    batch.delete(access.keys_key(entry.user, entry.device), store.columns.devices)


def read_keys(store: Store, user: str, shown: Callable[[bytes], Any]) -> list[dict[str, Any]]:
    """The keys of all devices of a user, by name of device, as the store has them."""
    start, end = access.keys_range(user)
    rows = store.scan(store.columns.devices, start, end, DEVICES_WITH_KEYS)
    found: list[dict[str, Any]] = []
    for key, value in rows:
        row = access.parse_keys(value)
        found.append({"device": access.device_of(key), "keys": shown(row.keys), "ts": row.ts})
    return found
