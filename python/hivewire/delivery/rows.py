"""Entries of which nobody is told: their rows, and what is to be settled when those are durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire import chaos
from hivewire.core.access import apply_keys, apply_revoke, forget_keys
from hivewire.core.apply import apply_block, apply_device, apply_trim
from hivewire.core.apply_push import apply_outbox, apply_register, apply_unregister
from hivewire.core.delivered import note_delivered
from hivewire.core.media import apply_media
from hivewire.core.plan_push import plan_unregister
from hivewire.core.retention import drop_below
from hivewire.core.seen import apply_seen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.core.entries import (
        BlockEntry,
        DeviceEntry,
        ForgetEntry,
        KeysEntry,
        MediaEntry,
        MediaGoneEntry,
        OutboxEntry,
        PresenceEntry,
        RegisterEntry,
        RevokeEntry,
        TrimEntry,
    )
    from hivewire.core.view import View
    from hivewire.delivery.owed import Owed
    from hivewire.store.journal import Group, Journal

CURSORS_AT_ONCE = 200
"""Cursors that are put before it is looked whether their group is full."""
ROWS_AN_ENTRY = 4
"""So many rows that are put besides weigh as one entry: a message in a direct chat is as many, and
the write of one holds the interpreter lock for 1.5 µs."""
SEEN_AN_ENTRY = 8
"""So many users who are gone weigh as one entry: each is one small row. A node that drains writes
one for everybody, and a million in groups of 200 would be five thousand syncs."""


class Rows:
    """The part of `Delivery` that only writes. Loop thread only.

    Args:
        view: What plan and apply see.
    """

    journal: Journal[Owed]

    def __init__(self, view: View) -> None:
        self.view = view
        self._columns = view.store.columns

    def device(self, entry: DeviceEntry) -> None:
        """Apply the cursor that a connect decided; it is durable before `connected`."""
        group = self.journal.rotate_if_full()
        apply_device(entry, self.view, group.put)
        group.count += 1
        group.payload.cursors.append(entry)
        note_delivered(entry, self.view)
        self._write_marks(group)

    def block(self, entry: BlockEntry) -> None:
        """Apply a block, or its end."""
        group = self.journal.rotate_if_full()
        group.payload.pending.append(apply_block(entry, self.view, group.batch))
        group.count += 1

    def revoke(self, entry: RevokeEntry) -> None:
        """Write a revocation."""
        group = self.journal.rotate_if_full()
        apply_revoke(entry, self.view.store, group.batch)
        group.count += 1

    def device_keys(self, entry: KeysEntry) -> None:
        """Apply the public keys of a device, or their end."""
        group = self.journal.rotate_if_full()
        group.payload.pending.append(apply_keys(entry, self.view, group.batch))
        group.count += 1

    def seen(self, entries: Iterable[PresenceEntry]) -> None:
        """Write of users that they are there no more."""
        for number, entry in enumerate(entries):
            group = self.journal.rotate_if_full()
            apply_seen(entry, self.view.store, group.put)
            group.count += number % SEEN_AN_ENTRY == 0

    def media(self, entry: MediaEntry | MediaGoneEntry) -> None:
        """Apply an upload, or that one goes."""
        group = self.journal.rotate_if_full()
        group.payload.pending += apply_media(entry, self.view, group.batch)
        group.count += 1

    def trim(self, entry: TrimEntry) -> None:
        """Move the floor of a timeline; what is below it goes with a later group."""
        group = self.journal.rotate_if_full()
        apply_trim(entry, self.view, group.put)
        group.payload.trims.append(entry)
        group.count += 1

    def drop_trimmed(self, entry: TrimEntry) -> None:
        """Delete what is below a floor that is durable."""
        group = self.journal.rotate_if_full()
        drop_below(entry, self.view.store, group.batch)
        group.count += 1

    def _free(self, begin: bytes, end: bytes) -> None:
        """Delete rows of `fanout` of which all is in timelines, durably."""
        group = self.journal.rotate_if_full()
        group.batch.delete_range(begin, end, self._columns.fanout)
        group.count += 1

    def forget(self, entry: ForgetEntry) -> None:
        """Forget a device of which nothing is on its way to the disk."""
        group = self.journal.rotate_if_full()
        self.view.cursors.forget(entry, group.batch)
        forget_keys(entry, self.view.store, group.batch)
        group.payload.cursors.append(entry)
        group.count += 1
        self.unregister(entry.user, entry.device)

    def register(self, entry: RegisterEntry) -> None:
        """Apply a device's wish to be pushed to."""
        group = self.journal.rotate_if_full()
        group.payload.pending.append(apply_register(entry, self.view, group.put))
        group.payload.registrations.append(entry)
        group.count += 1

    def unregister(self, user: str, device: str) -> None:
        """Push to a device no more, if it is registered."""
        entry = plan_unregister(user, device, self.view)
        if entry is None:
            return
        group = self.journal.rotate_if_full()
        group.payload.pending.append(apply_unregister(entry, self.view, group.batch))
        group.payload.registrations.append(entry)
        group.count += 1

    def outbox(self, entry: OutboxEntry) -> None:
        """Change rows of the outbox."""
        group = self.journal.rotate_if_full()
        apply_outbox(entry, self.view.store, group.batch)
        group.count += 1

    def cursors(self) -> None:
        """Write the cursors and marks that moved since the last time."""
        if chaos.reach is not None:
            chaos.reach("cursor")
        while self.view.cursors.dirty or self.view.marks.dirty:
            group = self.journal.rotate_if_full()
            moved = self.view.cursors.flush(group.put, CURSORS_AT_ONCE)
            group.count += -(-len(moved) // ROWS_AN_ENTRY)
            group.payload.cursors.extend(moved)
            for entry in moved:
                note_delivered(entry, self.view)
            self._write_marks(group)
        self.journal.commit()

    def marks(self) -> None:
        """Write the marks that moved, at once; their receipts follow when they are durable."""
        if self.view.marks.dirty:
            self._write_marks(self.journal.rotate_if_full())

    def _write_marks(self, group: Group[Owed]) -> None:
        if not self.view.marks.dirty:
            return
        moved = self.view.marks.flush(group.put)
        group.count += -(-len(moved) // ROWS_AN_ENTRY)
        group.payload.covered += moved
        group.payload.marks += [covered.mark for covered in moved]
