"""Entries of pushes carried out: registrations, and what comes into the outbox and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import pushes

if TYPE_CHECKING:
    from hivewire.core.entries import OutboxEntry, RegisterEntry, SendEntry, UnregisterEntry
    from hivewire.core.overlay import Pending
    from hivewire.core.view import View
    from hivewire.store import Batch, Put, Store


def apply_held(entry: SendEntry, message_key: bytes, view: View, put: Put) -> None:
    """Put a message into the outbox for each member who has a registered device.

    In the message's own batch, so that no kill comes in between. Whether the member is connected
    does not matter: a line that seems alive may be dead, and who has the message acknowledges it.
    """
    value = pushes.held_value(entry.ts, message_key)
    users, outbox = view.users, view.store.columns.outbox
    for member, seq in entry.members:
        if users[member].pushed and member != entry.user:
            put(pushes.held_key(member, seq), value, outbox)
            view.to_push.append(member)


def apply_register(entry: RegisterEntry, view: View, put: Put) -> Pending:
    """Put a device's registration; returns what the overlay holds of it."""
    _count(entry, view, put)
    row = pushes.registration_key(entry.user, entry.device)
    return view.overlay.put("devices", row, pushes.registration_value(entry.registration), put)


def apply_unregister(entry: UnregisterEntry, view: View, batch: Batch) -> Pending:
    """Delete a device's registration; returns what the overlay holds of it."""
    _count(entry, view, batch.put)
    row = pushes.registration_key(entry.user, entry.device)
    batch.delete(row, view.store.columns.devices)
    return view.overlay.gone("devices", row)


def apply_outbox(entry: OutboxEntry, store: Store, batch: Batch) -> None:
    """Delete and put rows of the outbox."""
    outbox = store.columns.outbox
    for key in entry.gone:
        batch.delete(key, outbox)
    for key, value in entry.rows:
        batch.put(key, value, outbox)


def _count(entry: RegisterEntry | UnregisterEntry, view: View, put: Put) -> None:
    state = view.user(entry.user)
    state.pushed = entry.count
    state.registering += 1
    put(state.prefix, state.row(), view.store.columns.marks)
