"""The store: durable truth of a node as rows in column families, written in atomic batches.

`rocks.Rocks` keeps it on disk, `memory.Memory` in memory; both are a `Store`. `journal` is the
only way to change it while a node runs. `keys` says what the rows look like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hivewire.store.errors import (
    DataDirectoryHeld,
    FormatTooNew,
    StoreBroken,
    StoreCorrupt,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Batch",
    "Columns",
    "DataDirectoryHeld",
    "FormatTooNew",
    "Put",
    "Store",
    "StoreBroken",
    "StoreCorrupt",
    "StoreError",
]

Column = Any
"""A handle of a column family; what it is, is the store's own affair."""


class Columns:
    """The handle of each column family of one open store."""

    __slots__ = (
        "conversations",
        "cursors",
        "devices",
        "fanout",
        "keys",
        "marks",
        "media",
        "members",
        "messages",
        "meta",
        "outbox",
        "revocations",
        "timeline",
    )

    conversations: Column
    cursors: Column
    devices: Column
    fanout: Column
    keys: Column
    marks: Column
    media: Column
    members: Column
    messages: Column
    meta: Column
    outbox: Column
    revocations: Column
    timeline: Column


class Put(Protocol):
    """How a row gets into a batch: key, value, column family."""

    def __call__(self, key: bytes, value: bytes, column_family: Column, /) -> None:
        """Add one row; an equal key in the same column is replaced."""
        ...


class Batch(Protocol):
    """Changes that become visible, and durable, all together or not at all."""

    @property
    def put(self) -> Put:
        """Set a row. Fetch it once and keep it: it is called four times a message."""
        ...

    def delete(self, key: bytes, column_family: Column, /) -> None:
        """Take a row away; one that is not there is no error."""
        ...

    def delete_range(self, begin: bytes, end: bytes, column_family: Column, /) -> None:
        """Take away the rows from `begin` up to, not including, `end`."""
        ...

    def __len__(self) -> int:
        """How many changes it holds."""
        ...


class Store(Protocol):
    """Rows in column families. Reads see what was written, synced or not.

    Every method raises `StoreBroken` when the disk fails; the process must then end.
    """

    columns: Columns
    epoch: str
    """Names this incarnation of the data; restoring a backup makes a new one."""
    secret: bytes
    """32 random bytes made with the data directory, for what this node alone may sign."""

    def batch(self) -> Batch:
        """A new, empty batch."""
        ...

    def write(self, batch: Batch) -> None:
        """Make a batch visible to reads. It is not durable before the next `sync`."""
        ...

    def sync(self) -> None:
        """Make everything written so far survive a power cut. Gives up the interpreter lock."""
        ...

    def get(self, column: Column, key: bytes) -> bytes | None:
        """The value of one row."""
        ...

    def multi_get(self, column: Column, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many rows, in the order of `keys`."""
        ...

    def last(self, column: Column, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The last row whose key is `prefix` and 8 bytes more at most."""
        ...

    def scan(
        self, column: Column, start: bytes, end: bytes | None, limit: int
    ) -> list[tuple[bytes, bytes]]:
        """Up to `limit` rows from `start` up to, not including, `end` (None: the column's end)."""
        ...

    def property(self, name: str) -> int | None:
        """A number about the store's health, such as `background-errors`; None if unknown."""
        ...

    def close(self) -> None:
        """Let go of the data directory. Unsynced writes may be lost."""
        ...
