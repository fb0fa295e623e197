"""What a backup says about itself (`backup.json`), and files on their way into or out of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from hivewire.store.rocks import BACKUP_RECORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEDIA: Final = "media"
DEV_SECRET: Final = "dev-secret"  # noqa: S105 - the name of a file
CHUNK_BYTES: Final = 1 << 20


class BackupError(Exception):
    """It was not made, or is not one; the text says why."""


class Abandoned(BackupError):
    """The node ends, or the backup was called off."""


class Record(msgspec.Struct, frozen=True):
    """`backup.json`."""

    hivewire: str
    """The version that made it."""
    format: int
    """The format of its rows."""
    epoch: str
    """The incarnation that it was made of; what is restored is another."""
    created: int
    """Milliseconds since the Unix epoch."""
    files: dict[str, int]
    """The files of the rows with their sizes in bytes."""
    media_files: int
    media_bytes: int

    @property
    def bytes(self) -> int:
        """Rows and uploads together."""
        return sum(self.files.values()) + self.media_bytes

    def write(self, directory: Path) -> None:
        """Write it where the backup lies."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"
        (directory / BACKUP_RECORD).write_bytes(text)
        sync(directory / BACKUP_RECORD)

    @classmethod
    def read(cls, directory: Path) -> Record:
        """Read it. Raises BackupError where there is none."""
        try:
            return msgspec.json.decode((directory / BACKUP_RECORD).read_bytes(), type=cls)
        except (FileNotFoundError, NotADirectoryError):
            raise BackupError(
                f"{directory} is no whole backup: it has no {BACKUP_RECORD}"
            ) from None
        except msgspec.MsgspecError as error:
            raise BackupError(f"{directory / BACKUP_RECORD} cannot be read: {error}") from error


def size_of(directory: Path) -> tuple[int, int]:
    """How many files lie below a directory, and their bytes; none where there is no directory."""
    sizes = [file.stat().st_size for file in directory.rglob("*") if file.is_file()]
    return len(sizes), sum(sizes)


def copy(source: Path, target: Path, is_called_off: Callable[[], bool]) -> None:
    """Copy a file, its owner's alone, onto the disk.

    Raises:
        Abandoned: It was called off half-way.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reader, open(descriptor, "wb") as writer:  # noqa: PTH123 - a descriptor
        while chunk := reader.read(CHUNK_BYTES):
            if is_called_off():
                raise Abandoned("the backup was called off")
            writer.write(chunk)
        writer.flush()
        os.fsync(descriptor)


def sync_folders(directory: Path) -> None:
    """Make the entries of a directory and of all folders below it durable."""
    for folder, _, _ in os.walk(directory):
        sync(folder)


def sync(path: Path | str) -> None:
    """Make a file, or the entries of one folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
