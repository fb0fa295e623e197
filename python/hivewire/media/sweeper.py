"""Takes away what nothing names: uploads never sent or recalled, and bytes that a crash left.

A pass goes through all partitions, one after the other, evenly over `media.sweep`. In each the rows
are looked through first, then the bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import structlog

from hivewire.core.media import uploaded_at
from hivewire.media.blobs import THUMBNAIL, BlobsBroken
from hivewire.media.refusals import Refused
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from hivewire.config.media import Media as Settings
    from hivewire.media.blobs import Blobs
    from hivewire.store import Store

log = structlog.get_logger(__name__)

PARTITIONS = 256
ROWS_A_STEP = 256
"""Rows looked at between two turns of the loop, 1 µs each."""
STRAY_SECONDS = 3600.0
"""Bytes without a row are left alone for so long."""


class Uploads(Protocol):
    """What is swept: the uploads of one node."""

    settings: Settings
    blobs: Blobs
    now_ms: Callable[[], int]

    async def drop_unused(self, media: str, before_ms: int) -> bool:
        """Take an upload away if it is older, and no message names it; whether it is gone."""
        ...

    async def drop_stray(self, media: str) -> bool:
        """Take bytes away that have no row; whether they are gone."""
        ...


class Sweeper:
    """The passes over the uploads of one node."""

    def __init__(self, media: Uploads, store: Store) -> None:
        self._media = media
        self._store = store
        self._task: asyncio.Task[None] | None = None
        self._removing = asyncio.Lock()
        """Held while something is taken away."""
        self._pause = media.settings.sweep / 1000 / PARTITIONS
        """Seconds between two partitions."""
        self.removed = 0
        """Uploads, and strays, that were taken away."""

    def start(self) -> None:
        """Sweep from now on, in the background."""
        self._task = asyncio.create_task(self._run(), name="media sweeper")

    async def stop(self) -> None:
        """Stop where it is, but for bytes that are being taken away: those are gone after this."""
        task, self._task = self._task, None
        if task is None:
            return
        async with self._removing:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def sweep(self, partition: int) -> None:
        """Look at one partition."""
        unused, media = self._media.settings.unused, self._media
        if unused:
            for old in await self._old(partition, media.now_ms() - unused):
                async with self._removing:
                    self.removed += await media.drop_unused(old, media.now_ms() - unused)
        for stray in await self._strays(partition):
            async with self._removing:
                self.removed += await media.drop_stray(stray)

    async def _run(self) -> None:
        while True:
            for partition in range(PARTITIONS):
                await asyncio.sleep(self._pause)
                try:
                    await self.sweep(partition)
                except (BlobsBroken, Refused) as error:
                    log.warning("uploads could not be swept", error=str(error))

    async def _old(self, partition: int, before_ms: int) -> list[str]:
        """Uploads from before then that no row names, as far as the store shows it."""
        found: list[str] = []
        candidate: str | None = None
        async for key, value in self._rows(partition):
            media, suffix = keys.split(key)
            if suffix:
                candidate = None  # a message names it
                continue
            if candidate is not None:
                found.append(candidate)
            candidate = media if uploaded_at(value) < before_ms else None
        return found if candidate is None else [*found, candidate]

    async def _rows(self, partition: int) -> AsyncGenerator[tuple[bytes, bytes]]:
        """All rows of a partition; others have their turn in between."""
        start, end = bytes((partition,)), bytes((partition + 1,)) if partition < 255 else None
        column = self._store.columns.media
        while rows := self._store.scan(column, start, end, ROWS_A_STEP):
            for row in rows:
                yield row
            start = rows[-1][0] + b"\0"
            await asyncio.sleep(0)

    async def _strays(self, partition: int) -> list[str]:
        """Ids of bytes that lie there for a while and have no row."""
        listed = await self._media.blobs.listed(partition)
        old = {one.name.removesuffix(THUMBNAIL) for one in listed if one.age > STRAY_SECONDS}
        names = sorted(old)
        rows = [keys.media_key(name) for name in names]
        found = self._store.multi_get(self._store.columns.media, rows) if rows else []
        return [name for name, row in zip(names, found, strict=True) if row is None]
