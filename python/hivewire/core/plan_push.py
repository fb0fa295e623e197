"""Registrations for pushes, decided. Whether an endpoint may be used is decided before this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.entries import RegisterEntry, Rejection, UnregisterEntry
from hivewire.store import pushes

if TYPE_CHECKING:
    from hivewire.core.view import View
    from hivewire.store.pushes import Registration

TOO_MANY = Rejection("too_large", "too many devices are registered for pushes")


def plan_register(
    registration: Registration, user: str, device: str, view: View, bound: int
) -> RegisterEntry | Rejection | None:
    """Decide a registration, which replaces the device's earlier one; None: it is there already.

    Args:
        registration: What to write.
        user: Whose device it is.
        device: Which one.
        view: The state as planned.
        bound: Devices of one user that may be registered.
    """
    count = view.user(user).pushed
    known = view.overlay.get("devices", pushes.registration_key(user, device))
    if known is None:
        count += 1
        if count > bound:
            return TOO_MANY
    else:
        before = pushes.parse_registration(known)
        before.ts = registration.ts
        if before == registration:
            return None
    return RegisterEntry(user, device, count, registration)


def plan_unregister(user: str, device: str, view: View) -> UnregisterEntry | None:
    """Decide the end of a registration; None if there is none."""
    count = view.user(user).pushed
    if not count or view.overlay.get("devices", pushes.registration_key(user, device)) is None:
        return None
    return UnregisterEntry(user, device, count - 1)
