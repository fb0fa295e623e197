"""One upload on its way in: written aside, hashed, counted; never in memory as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING

from hivewire.media import refusals
from hivewire.media.blobs import CHUNK_BYTES
from hivewire.media.kinds import HEAD_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from hivewire.media.threads import InThread


class Incoming:
    """A file that fills. Whoever makes one gives it to `Media.finish` or calls `discard`.

    Args:
        folder: Where files lie that are not complete.
        in_thread: Runs what blocks.
        max_bytes: More is refused while it comes in.
    """

    def __init__(self, folder: Path, in_thread: InThread, max_bytes: int) -> None:
        self.path = folder / secrets.token_hex(16)
        self.bytes = 0
        """What has come in so far."""
        self.head = b""
        """The first bytes, enough to tell what it is."""
        self._in_thread = in_thread
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self._waiting = bytearray()
        self._descriptor: int | None = None

    @property
    def id(self) -> str:
        """SHA-256 of what has been written, in hex; of all of it after `close`."""
        return self._hash.hexdigest()

    async def write(self, data: bytes) -> None:
        """Take some more. Raises Refused beyond the limit, OSError where the disk fails."""
        self.bytes += len(data)
        if self.bytes > self._max_bytes:
            raise refusals.too_large(self._max_bytes)
        if len(self.head) < HEAD_BYTES:
            self.head += data[: HEAD_BYTES - len(self.head)]
        self._waiting += data
        if len(self._waiting) >= CHUNK_BYTES:
            await self._flush()

    async def close(self) -> None:
        """Write what is left. The file is complete then, and not yet durable."""
        await self._flush()
        self._close()

    async def discard(self) -> None:
        """Forget it, whatever came in. Does nothing about a file that was taken."""
        self._close()
        # What cannot be removed now goes at the next start.
        with contextlib.suppress(OSError):
            await self._in_thread(self.path.unlink)

    async def _flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        await self._in_thread(partial(self._append, data))

    def _append(self, data: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
