"""`Store`: what a client keeps across restarts, in one file (SQLite)."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

Table = Literal["state", "outbox", "records"]
TABLES: Final[tuple[Table, ...]] = ("state", "outbox", "records")
# How long another program may hold the file before that is an error (seconds).
BUSY_SECONDS: Final = 5.0


class Change(NamedTuple):
    """A row to write: without a value it is deleted, without a name the whole table is."""

    table: Table
    name: str = ""
    value: object = None


class Store:
    """A file that holds a device's place in the timeline, its unanswered changes, its records.

    One file belongs to one device of one user; while one program has it no other can open it. What
    is written together is there together or not at all, after a power cut, too.

    Args:
        path: the file; it is made if it is not there, readable by its owner only.

    Raises:
        sqlite3.Error: the file cannot be used, is in use, or is something else.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        Path(path).touch(mode=0o600)
        self._database = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except sqlite3.Error:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Use it as a context manager to have it closed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file."""
        self.close()

    def close(self) -> None:
        """Let go of the file, after the client that uses it was closed."""
        self._database.close()

    def read(self, table: Table, prefix: str = "") -> dict[str, Any]:
        """Rows whose names begin with `prefix`, in the order of their names."""
        rows = self._database.execute(
            f"SELECT name, value FROM {table} WHERE substr(name, 1, ?) = ? ORDER BY name",  # noqa: S608 - one of three names
            (len(prefix), prefix),
        )
        return {name: msgspec.json.decode(value) for name, value in rows}

    def write(self, changes: Iterable[Change]) -> None:
        """Write all of it or nothing; on the disk when it returns. Blocks for a sync."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for table, name, value in changes:
                self._write_row(table, name, value)
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        # A second program on the same file is an error here, not a surprise later.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        for table in TABLES:
            self._database.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (name TEXT PRIMARY KEY, value BLOB NOT NULL)"
            )

    def _write_row(self, table: Table, name: str, value: object) -> None:
        execute = self._database.execute
        if not name:
            execute(f"DELETE FROM {table}")  # noqa: S608 - one of three names
        elif value is None:
            execute(f"DELETE FROM {table} WHERE name = ?", (name,))  # noqa: S608 - one of three names
        else:
            row = (name, msgspec.json.encode(value))
            execute(f"REPLACE INTO {table} VALUES (?, ?)", row)  # noqa: S608 - one of three names
