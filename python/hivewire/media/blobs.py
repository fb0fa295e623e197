"""Where bytes lie, by name: the same for a folder and for an S3-compatible store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

CHUNK_BYTES = 256 * 1024
"""What is read, hashed and written at a time."""
THUMBNAIL = ".webp"
"""Behind the id, the name of a thumbnail."""


class BlobsBroken(OSError):
    """The folder or the store cannot be used now; the text says why."""


class Missing(BlobsBroken):
    """There is no such blob."""


class Listed(NamedTuple):
    """A blob that lies there."""

    name: str
    """An id, perhaps with `THUMBNAIL` behind it."""
    age: float
    """Seconds since it was written."""


class Blobs(Protocol):
    """Names are ids, perhaps with `THUMBNAIL` behind them. Everything raises BlobsBroken."""

    async def start(self) -> None:
        """Make ready what blobs are kept in."""
        ...

    async def keep(self, name: str, source: Path) -> None:
        """Keep a file's bytes under `name`, whole and durable when this returns. `source` goes."""
        ...

    async def has(self, name: str) -> bool:
        """Whether there is such a blob."""
        ...

    def read(self, name: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` up to, not including, `end`. Raises Missing."""
        ...

    async def size(self, name: str) -> int:
        """How many bytes it has. Raises Missing."""
        ...

    async def remove(self, name: str) -> None:
        """Take a blob away; one that is not there is no error."""
        ...

    async def listed(self, partition: int) -> list[Listed]:
        """All blobs whose id is of this partition."""
        ...

    def free(self) -> int | None:
        """Bytes that are free where blobs lie; None if nobody can tell."""
        ...


def folder_of(name: str) -> str:
    """The folder of a blob, two hex digits: the partition of its id, as in the store's keys."""
    return f"{keys.partition(name.removesuffix(THUMBNAIL)):02x}"
