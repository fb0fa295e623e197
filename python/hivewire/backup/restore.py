"""Read a backup into a new data directory, as another incarnation of the data."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from hivewire import chaos
from hivewire.backup.make import never
from hivewire.backup.record import (
    DEV_SECRET,
    MEDIA,
    BackupError,
    Record,
    copy,
    size_of,
    sync,
    sync_folders,
)
from hivewire.store.errors import FormatTooNew
from hivewire.store.keys import FORMAT_VERSION
from hivewire.store.rocks import DATABASE, RESTORING, Rocks

if TYPE_CHECKING:
    from pathlib import Path


def restore(backup: Path, data: Path) -> Record:
    """Make a data directory of a backup. Its epoch is new, so clients start again from it.

    `data` must be empty or not there; what an earlier restore left half done is thrown away. The
    rows move to their place as the last thing, so a node starts on all of it or not at all.

    Raises:
        BackupError: There is no whole backup, or `data` holds something.
        FormatTooNew: A newer version made it.
        StoreError, OSError: It cannot be read or written.
    """
    record = Record.read(backup)
    _check(record, backup)
    aside = data / RESTORING
    if data.exists():
        others = [entry.name for entry in data.iterdir() if entry.name != RESTORING]
        if others and not aside.exists():
            raise BackupError(f"{data} is not empty: a backup is restored into a new directory")
        for name in (*others, RESTORING):
            _remove(data / name)
    aside.mkdir(mode=0o700, parents=True)
    data.chmod(0o700)
    for name in (DATABASE, MEDIA, DEV_SECRET):
        _copy(backup / name, aside / name)
    with contextlib.closing(Rocks.open(aside, create=False)) as store:
        store.renew_epoch()
    sync_folders(aside)
    _reach("restore-before-name")
    for name in (DEV_SECRET, MEDIA, DATABASE):
        if (aside / name).exists():
            (aside / name).rename(data / name)
    sync(data)
    shutil.rmtree(aside)
    sync(data)
    return record


def _check(record: Record, backup: Path) -> None:
    """Refuse what a newer version made, and what has lost files or parts of them."""
    if record.format > FORMAT_VERSION:
        raise FormatTooNew(
            f"{backup} has format {record.format}, this version reads up to {FORMAT_VERSION}: "
            "use the newer hivewire that made it"
        )
    for name, size in record.files.items():
        file = backup / DATABASE / name
        there = file.stat().st_size if file.is_file() else None
        if there != size:
            raise BackupError(f"{file} has {there} bytes, the backup was made with {size}")
    found = size_of(backup / MEDIA)
    if found != (record.media_files, record.media_bytes):
        raise BackupError(
            f"{backup / MEDIA} has {found[0]} files of {found[1]} bytes, the backup was made with "
            f"{record.media_files} of {record.media_bytes}"
        )


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder and all below it."""
    if source.is_dir():
        target.mkdir(mode=0o700)
        for entry in source.iterdir():
            _copy(entry, target / entry.name)
    elif source.exists():
        copy(source, target, never)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _reach(point: str) -> None:
    if chaos.reach is not None:
        chaos.reach(point)
