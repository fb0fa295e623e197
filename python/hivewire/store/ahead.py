"""Room in RocksDB's log, so that a sync finds the file as long as it was.

A log that grows with each commit changes its length with each sync, and for that the file system
writes its journal too: a third of the time of a sync (ext4, docs/decisions/0017). RocksDB reserves
blocks ahead, but not the length. What lies behind its last record reads as zeros, which it takes
for the end of the log (`kZeroType` in its log_reader.cc); when it is done with a file it cuts it.

Whatever a power cut leaves there is one group at most, because the next one is not written before
the one before is synced, and of a group that is not whole recovery takes nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)

AHEAD_BYTES: Final = 4 * 1024 * 1024
"""How much longer the file is made at a time; RocksDB reserves as many blocks itself."""
SPARE_BYTES: Final = 256 * 1024
"""It is made longer when so much is left: a log holds a little more than the batches in it."""
LOOK_EVERY: Final = 16
"""Syncs from one look for a newer log to the next; there is one for each few megabytes."""


class Ahead:
    """Makes the newest log longer before it is full. For the thread that writes and syncs.

    It counts what is written and does not ask for the file's length each time: a kernel that is
    asked gives the next write a time stamp of its own, and that is in the journal then.

    Args:
        directory: Of the database.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log: Path | None = None
        self._end = 0
        """How long the file was made."""
        self._left = 0
        self._syncs = 0
        self._off = False

    def keep(self, written: int) -> None:
        """See to it that there is room. Never fails: without it, a sync takes longer.

        Args:
            written: Bytes since the last time.
        """
        if self._off:
            return
        self._left -= written
        try:
            if self._syncs % LOOK_EVERY == 0:
                self._look()
            self._syncs += 1
            if self._log is not None and self._left < SPARE_BYTES:
                self._extend(self._log)
        except FileNotFoundError:
            self._log = None
        except OSError as error:
            self._off = True
            log.warning("the store's log gets no room ahead", error=error.strerror)

    def _look(self) -> None:
        # Their names are numbers, of six digits at first.
        logs = self._directory.glob("*.log")
        newest = max(logs, key=lambda path: int(path.stem), default=None)
        if newest is not None and newest != self._log:
            self._log, self._end, self._left = newest, newest.stat().st_size, 0

    def _extend(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.posix_fallocate(descriptor, self._end, AHEAD_BYTES)
        finally:
            os.close(descriptor)
        self._end += AHEAD_BYTES
        self._left += AHEAD_BYTES
