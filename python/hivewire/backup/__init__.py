"""Backups: made while a node runs or not, and read back as another incarnation of the data.

A backup is a directory: `backup.json`, the rows in `db/`, uploads in `media/`. It gets its name
only when all of it is on the disk, so a backup that has a name is whole.
"""

from __future__ import annotations

from hivewire.backup.make import Source, make_backup
from hivewire.backup.record import Abandoned, BackupError, Record
from hivewire.backup.restore import restore
from hivewire.backup.running import Backups, describe, source_of

__all__ = [
    "Abandoned",
    "BackupError",
    "Backups",
    "Record",
    "Source",
    "describe",
    "make_backup",
    "restore",
    "source_of",
]
