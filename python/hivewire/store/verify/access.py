"""Revocations, and what devices have registered and published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import access, keys, pushes
from hivewire.store.verify.pushes import check_registration
from hivewire.store.verify.rows import all_rows, body_of

if TYPE_CHECKING:
    from hivewire.store import Store
    from hivewire.store.verify.report import Report


def check_revocations(store: Store, report: Report) -> None:
    """Each can be read."""
    for key, value in all_rows(store, "revocations", report):
        access.parse_revoked(key, value)


def check_devices(store: Store, report: Report) -> None:
    """What devices have registered and published can be read and is accounted for."""
    for key, value in all_rows(store, "devices", report):
        user, suffix = keys.split(key)
        kind, _, device = suffix.partition(b":")
        if kind == pushes.REGISTERED[:-1]:
            check_registration(store, report, user, device.decode(), value)
        elif kind == access.DEVICE_KEYS[:-1]:
            _check_keys(store, report, user, device.decode(), value)
        else:
            report.add("row", user, f"a device's row of unknown kind: {suffix.hex()}")


def _check_keys(store: Store, report: Report, user: str, device: str, value: bytes) -> None:
    """Published keys are an object, and of a device that is known."""
    body_of(access.parse_keys(value).keys)
    if store.get(store.columns.cursors, keys.prefix(user) + device.encode()) is None:
        report.add("device", user, f"there are keys of {device}, which nobody knows")
