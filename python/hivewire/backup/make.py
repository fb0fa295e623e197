"""Make a backup: a checkpoint of the rows, the uploads beside it, and a name when all is there."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

import hivewire
from hivewire import chaos
from hivewire.backup.record import (
    DEV_SECRET,
    MEDIA,
    Abandoned,
    BackupError,
    Record,
    copy,
    size_of,
    sync,
    sync_folders,
)
from hivewire.clock import wall_ms
from hivewire.store.keys import FORMAT_VERSION
from hivewire.store.rocks import CHECKPOINT, DATABASE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hivewire.store.rocks import Rocks


class Source(NamedTuple):
    """What is backed up."""

    store: Rocks
    data: Path
    media: Path | None
    """The folder of uploads, if they lie in one."""


def never() -> bool:
    """Nobody calls it off."""
    return False


def make_backup(source: Source, to: Path, is_called_off: Callable[[], bool] = never) -> Record:
    """Make a backup in the new directory `to`. For any thread, beside a node that runs.

    It holds all that was answered before it was begun. Until it is whole it is called
    `<to>.partial`; what is left of one that was killed is thrown away by the next.

    Raises:
        BackupError: `to` is there already, or is inside the data directory.
        StoreError: RocksDB could not make its checkpoint.
        OSError: The disk is full, or the like.
    """
    _refuse_place(source, to)
    partial = to.with_name(f"{to.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    try:
        record = _fill(source, partial, is_called_off)
        sync_folders(partial)
        record.write(partial)
        sync(partial)
        _reach("backup-before-name")
        partial.rename(to)
        sync(to.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return record


def _refuse_place(source: Source, to: Path) -> None:
    if os.path.lexists(to):
        raise BackupError(f"{to} is there already: a backup is a directory of its own")
    if source.data.resolve() in to.resolve().parents:
        raise BackupError(f"{to} lies in the data directory that it is to be a backup of")


def _fill(source: Source, partial: Path, is_called_off: Callable[[], bool]) -> Record:
    """Bring rows and uploads into `partial`.

    Uploads come before the rows that name them and again behind: one that is deleted, or comes,
    in between is there all the same.
    """
    if source.media is not None:
        _take_media(source.media, partial / MEDIA, is_called_off)
    files = _take_rows(source, partial / DATABASE, is_called_off)
    if source.media is not None:
        _take_media(source.media, partial / MEDIA, is_called_off)
    secret = source.data / DEV_SECRET
    if secret.exists():
        copy(secret, partial / DEV_SECRET, is_called_off)
    media_files, media_bytes = size_of(partial / MEDIA)
    return Record(
        hivewire=hivewire.__version__,
        format=FORMAT_VERSION,
        epoch=source.store.epoch,
        created=wall_ms(),
        files=files,
        media_files=media_files,
        media_bytes=media_bytes,
    )


def _take_rows(source: Source, target: Path, is_called_off: Callable[[], bool]) -> dict[str, int]:
    """A checkpoint of the rows in `target`. Gives its files with their sizes."""
    checkpoint = source.data / CHECKPOINT
    for left in (checkpoint, checkpoint.with_suffix(".tmp")):
        shutil.rmtree(left, ignore_errors=True)
    try:
        source.store.checkpoint(checkpoint)
        _reach("backup-checkpoint")
        target.mkdir(mode=0o700)
        for file in sorted(checkpoint.iterdir()):
            _take(file, target / file.name, is_called_off)
            # What RocksDB copied into the checkpoint was not synced.
            sync(target / file.name)
    finally:
        shutil.rmtree(checkpoint, ignore_errors=True)
    return {file.name: file.stat().st_size for file in target.iterdir()}


def _take_media(media: Path, target: Path, is_called_off: Callable[[], bool]) -> None:
    """The complete uploads that `target` does not have yet; those on their way lie elsewhere."""
    for folder in sorted(media.glob("[0-9a-f][0-9a-f]")):
        (target / folder.name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in folder.iterdir():
            place = target / folder.name / file.name
            if not place.exists():
                with contextlib.suppress(FileNotFoundError):
                    _take(file, place, is_called_off)


def _take(file: Path, place: Path, is_called_off: Callable[[], bool]) -> None:
    """A link, since neither tables nor uploads ever change; a copy on another file system."""
    if is_called_off():
        raise Abandoned("the backup was called off")
    try:
        os.link(file, place)
    except FileNotFoundError:
        raise
    except OSError:
        copy(file, place, is_called_off)


def _reach(point: str) -> None:
    if chaos.reach is not None:
        chaos.reach(point)
