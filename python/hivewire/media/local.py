"""Blobs as files: written aside, synced, and only then under their name.

<folder>/<partition, two hex digits>/<id>          the bytes as uploaded
<folder>/<partition, two hex digits>/<id>.webp     the thumbnail
"""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from hivewire.media.blobs import CHUNK_BYTES, BlobsBroken, Listed, Missing, folder_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from hivewire.media.threads import InThread

Result = TypeVar("Result")
PARTITIONS = 256


class LocalBlobs:
    """Blobs in a folder of this machine. What blocks runs in threads.

    Args:
        folder: Where they lie; uploads on their way must be on the same file system.
        in_thread: Runs what blocks.
    """

    def __init__(self, folder: Path, in_thread: InThread) -> None:
        self._folder = folder
        self._in_thread = in_thread

    async def start(self) -> None:
        """Make the folders, so that each is durable before anything lies in it."""
        await self._run(self._make_folders)

    async def keep(self, name: str, source: Path) -> None:
        """Sync the file, move it to its name, sync the folder."""
        await self._run(partial(self._keep, source, self._path(name)))

    async def has(self, name: str) -> bool:
        """Whether the file is there."""
        return await self._run(self._path(name).is_file)

    async def size(self, name: str) -> int:
        """The file's size."""
        return (await self._run(self._path(name).stat)).st_size

    async def read(self, name: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """The file's bytes, a chunk at a time."""
        descriptor = await self._run(partial(os.open, self._path(name), os.O_RDONLY))
        try:
            while start < end:
                count = min(CHUNK_BYTES, end - start)
                chunk = await self._run(partial(os.pread, descriptor, count, start))
                if not chunk:
                    raise BlobsBroken(f"the file {name} is shorter than it was")
                start += len(chunk)
                yield chunk
        finally:
            os.close(descriptor)

    async def remove(self, name: str) -> None:
        """Delete the file."""
        await self._run(partial(self._path(name).unlink, missing_ok=True))

    async def listed(self, partition: int) -> list[Listed]:
        """The files of one folder."""
        return await self._run(partial(_list, self._folder / f"{partition:02x}"))

    def free(self) -> int | None:
        """What the file system has left for us."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize

    async def _run(self, job: Callable[[], Result]) -> Result:
        try:
            return await self._in_thread(job)
        except FileNotFoundError as error:
            raise Missing(str(error)) from error
        except OSError as error:
            raise BlobsBroken(str(error)) from error

    def _path(self, name: str) -> Path:
        return self._folder / folder_of(name) / name

    def _make_folders(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for partition in range(PARTITIONS):
            (self._folder / f"{partition:02x}").mkdir(mode=0o700, exist_ok=True)
        for directory in (self._folder, self._folder.parent):
            sync_directory(directory)

    def _keep(self, source: Path, target: Path) -> None:
        descriptor = os.open(source, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        source.replace(target)
        sync_directory(target.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _list(folder: Path) -> list[Listed]:
    now = time.time()
    found: list[Listed] = []
    for entry in os.scandir(folder):
        # What goes in between was listed for nothing.
        with contextlib.suppress(FileNotFoundError):
            found.append(Listed(entry.name, now - entry.stat().st_mtime))
    return found
