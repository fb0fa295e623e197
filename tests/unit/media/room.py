"""Uploads on a node without sockets: real files and threads, a disk for rows that syncs at once."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image

from hivewire.media import Media
from tests.unit.handlers.driver import Driver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from hivewire.core.media import Upload

SECRET = bytes(range(32))


class Room(Driver):
    """A `Driver` that has uploads. `slow` leaves rows unsynced until `settle`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(media={"path": str(folder), "keep_free": 0, **settings})
        self.slow = False
        self.media = Media(self.settings, self.delivery, self.act, SECRET, lambda: self.clock.ms)

    def act(self, work: Callable[[], None]) -> None:
        self.gateway.act(work)
        if not self.slow:
            asyncio.get_running_loop().call_soon(self.settle)

    async def upload(self, data: bytes, user: str = "ann") -> Upload:
        return await self.media.accept_bytes(user, data)

    async def bytes_of(self, name: str, start: int = 0, end: int = 1 << 30) -> bytes:
        end = min(end, await self.media.blobs.size(name))
        return b"".join([chunk async for chunk in self.media.read(name, start, end)])

    def files(self) -> set[str]:
        """Everything that lies in the folder."""
        return {path.name for path in self.media.folder.rglob("*") if path.is_file()}


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncGenerator[Room]:
    room = Room(folder, **settings)
    await room.media.start()
    try:
        yield room
    finally:
        await room.media.stop()
        room.media.close()


def picture(shape: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    """A picture's bytes."""
    file = io.BytesIO()
    Image.new(mode, size, 0).save(file, shape)
    return file.getvalue()
