"""A backup of a node that runs: in a thread beside it, one at a time, called off when it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from hivewire.backup.make import Source, make_backup
from hivewire.backup.record import BackupError
from hivewire.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.backup.record import Record
    from hivewire.config import Settings
    from hivewire.store.rocks import Rocks

log = structlog.get_logger(__name__)


class Backups:
    """Makes backups of whatever node runs at the moment. Loop thread only.

    Args:
        source: What is backed up; asked when a backup begins.
    """

    def __init__(self, source: Callable[[], Source]) -> None:
        self._source = source
        self._under_way: asyncio.Future[str] | None = None
        self._called_off = False

    async def make(self, to: str) -> tuple[bool, str]:
        """Make one at an absolute path. Gives whether it is there, and what to say about it."""
        if not Path(to).is_absolute():
            return False, f"{to!r} is no absolute path"
        if self._called_off or self._under_way is not None:
            return False, "the node ends" if self._called_off else "another backup is under way"
        source = self._source()
        self._under_way = asyncio.ensure_future(asyncio.to_thread(self._make, source, Path(to)))
        try:
            text = await asyncio.shield(self._under_way)
        except (BackupError, StoreError, OSError) as problem:
            log.error("the backup failed", to=to, reason=str(problem))  # noqa: TRY400 - no bug
            return False, str(problem)
        finally:
            self._under_way = None
        log.info("backed up", to=to)
        return True, text

    async def stop(self) -> None:
        """Call off what is under way, and wait until it lets go of the store."""
        self._called_off = True
        if self._under_way is not None:
            await asyncio.wait((self._under_way,))

    def _make(self, source: Source, to: Path) -> str:
        return describe(to, make_backup(source, to, lambda: self._called_off))


def source_of(store: Rocks, settings: Settings) -> Source:
    """The parts of a node that are its data; a bucket is not in it."""
    path, media = settings.store.path, settings.media
    return Source(store, path, None if media.s3_bucket else media.path or path / "media")


def describe(to: Path, made: Record) -> str:
    """What is said of a backup."""
    return f"backed up {made.bytes} bytes to {to}"
