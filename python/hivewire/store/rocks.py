"""The store on disk. The only module that imports rocksdict; `docs/storage.md` tells the layout.

Sharp edges of rocksdict that this module hides: without raw mode values are pickled; options and
column families must be given explicitly, or it goes by what it finds; write options belong to a
handle and are passed with each write; a handle of a column family keeps the database locked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rocksdict import (
    AccessType,
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
    DBCompactionStyle,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

from hivewire import chaos
from hivewire.store import Columns
from hivewire.store.ahead import Ahead
from hivewire.store.errors import (
    DataDirectoryHeld,
    FormatTooNew,
    StoreBroken,
    StoreCorrupt,
    StoreError,
)
from hivewire.store.keys import (
    COLUMNS,
    FORMAT_VERSION,
    LAST,
    META_CREATED,
    META_EPOCH,
    META_FORMAT,
    META_SECRET,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from hivewire.store import Batch, Column

MIB = 1024 * 1024
DATABASE = "db"
"""The folder of the rows in a data directory, and in a backup."""
BACKUP_RECORD = "backup.json"
"""The file that makes a directory a whole backup; no node runs on one."""
CHECKPOINT = "checkpoint"
"""The folder in a data directory in which a backup begins: on its file system links are enough."""
RESTORING = "restoring"
"""The folder in a data directory into which a backup is read; no node runs beside it."""
READING_TRIES = 5
"""How often a database is opened to be read while a node changes its files."""
_RAW_MODE = "rocksdict-config.json"
_COLUMN_PROPERTIES = frozenset(
    (
        *("estimate-num-keys", "cur-size-all-mem-tables", "live-sst-files-size"),
        *("estimate-pending-compaction-bytes", "estimate-table-readers-mem"),
    )
)
"""What RocksDB knows of a column family; the store's figure is their sum."""


class Rocks:
    """A data directory, held open by this process alone. A `hivewire.store.Store`."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        sync: bool = True,
        block_cache_bytes: int = 64 * MIB,
        write_buffer_bytes: int = 16 * MIB,
        max_open_files: int = 512,
    ) -> Self:
        """Open the data directory, making it if it is not there.

        Args:
            path: The data directory; made with mode 0700.
            create: False refuses a directory that holds no data yet.
            sync: False makes `sync` a promise that is not kept, for measuring what it costs.
            block_cache_bytes: Memory for blocks read from disk.
            write_buffer_bytes: Memory for rows that are not in a file yet, all columns together.
                More means fewer, larger files and less work in the background, but each row costs
                more: the lists they are sorted into no longer fit the processor's cache.
            max_open_files: Table files held open; they come out of the process's file table.

        Raises:
            DataDirectoryHeld: Another process has it open.
            FormatTooNew: A newer version wrote it.
            StoreError: It cannot be opened; the message says why.
        """
        if not create and not (path / DATABASE / "CURRENT").exists():
            raise StoreError(f"{path} is not a data directory")
        database = _prepare_directory(path)
        options = _options(write_buffer_bytes, max_open_files)
        columns = _column_options(Cache(block_cache_bytes), write_buffer_bytes)
        try:
            _refuse_unknown_columns(database, options)
            db = Rdict(str(database), options, column_families=columns)
        except StoreError:
            raise
        except Exception as error:
            raise _open_error(path, error) from error
        store = cls(db, sync=sync)
        try:
            store._identify()
        except BaseException:
            store.close()
            raise
        # Links of a backup that was killed would keep files that are long gone.
        shutil.rmtree(path / CHECKPOINT, ignore_errors=True)
        if chaos.reach is not None:
            chaos.reach("startup")
        return store

    @classmethod
    @contextlib.contextmanager
    def open_to_read(cls, path: Path) -> Generator[Self]:
        """Look at a data directory that a node may have open, and change nothing in it.

        What is seen is what was written when it was opened. RocksDB and rocksdict leave files of
        their own where they open a database, so they are given a folder of links.

        Raises:
            StoreError: There is nothing to read, or it cannot be read.
        """
        database = (path / DATABASE).absolute()
        if not (database / "CURRENT").exists():
            raise StoreError(f"{path} is not a data directory")
        with tempfile.TemporaryDirectory(prefix="hivewire-") as aside:
            db = _open_links(path, database, Path(aside))
            with contextlib.closing(cls(db, sync=False)) as store:
                store._identify()  # noqa: SLF001 - a store of this class
                yield store

    @classmethod
    def adopt(cls, other: Any) -> Self:  # noqa: ANN401 - `Rocks`, perhaps of another version
        """The same open database under the code of this version; `other` is not to be used then.

        Raises:
            StoreError: This version cannot use it.
        """
        if isinstance(other, cls):
            return other
        db, sync, columns = other.lent
        store = cls(db, sync=sync, columns=columns)
        store._identify()
        return store

    def __init__(
        self, db: Rdict, *, sync: bool, columns: dict[str, tuple[Any, Rdict]] | None = None
    ) -> None:
        self._db = db
        self._sync = sync
        self._ahead = Ahead(Path(db.path()))
        self._unsynced: int = 0
        """Bytes of batches since the last sync."""
        self._write_options = WriteOptions()
        self._readers: dict[Any, Rdict] = {}
        self.columns = Columns()
        self.epoch = ""
        self.secret = b""
        for name in COLUMNS:
            handle, reader = (columns or {}).get(name) or (
                db.get_column_family_handle(name),
                db.get_column_family(name),
            )
            self._readers[handle] = reader
            setattr(self.columns, name, handle)

    @property
    def lent(self) -> tuple[Rdict, bool, dict[str, tuple[Any, Rdict]]]:
        """For `adopt`: the open database, whether `sync` keeps its promise, what reads columns.

        A reader that nobody refers to any more would write its column to a file as it goes.
        """
        handles = {name: getattr(self.columns, name) for name in COLUMNS}
        columns = {name: (handle, self._readers[handle]) for name, handle in handles.items()}
        return self._db, self._sync, columns

    def batch(self) -> Batch:
        """A new, empty batch. It can be written once; its length is to be read before that."""
        return WriteBatch(raw_mode=True)

    def write(self, batch: Batch) -> None:
        """Make a batch visible. Holds the interpreter lock: about 1.2 µs a row."""
        try:
            size: int = batch.size_in_bytes()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType] - ours
            self._unsynced += size
            self._db.write(batch, self._write_options)  # pyright: ignore[reportArgumentType] - ours
        except Exception as error:
            raise StoreBroken(f"cannot write to the data directory: {error}") from error

    def sync(self) -> None:
        """Make all that was written durable: one fdatasync of the log. Gives up the lock."""
        if self._sync:
            self._ahead.keep(self._unsynced)
            self._unsynced = 0
        try:
            self._db.flush_wal(self._sync)
        except Exception as error:
            raise StoreBroken(f"cannot sync the data directory: {error}") from error

    def get(self, column: Column, key: bytes) -> bytes | None:
        """The value of one row."""
        try:
            return self._readers[column].get(key)
        except Exception as error:
            raise StoreBroken(f"cannot read the data directory: {error}") from error

    def multi_get(self, column: Column, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many rows, in the order of `keys`."""
        if not keys:
            return []
        try:
            return self._readers[column].get(keys)  # pyright: ignore[reportArgumentType, reportReturnType] - a list gives a list
        except Exception as error:
            raise StoreBroken(f"cannot read the data directory: {error}") from error

    def last(self, column: Column, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The last row whose key is `prefix` and 8 bytes more at most."""
        try:
            rows = self._readers[column].iter()
            rows.seek_for_prev(prefix + LAST)
            if not rows.valid():
                rows.status()
                return None
            key: bytes = rows.key()
            return (key, rows.value()) if key.startswith(prefix) else None
        except Exception as error:
            raise StoreBroken(f"cannot read the data directory: {error}") from error

    def scan(
        self, column: Column, start: bytes, end: bytes | None, limit: int
    ) -> list[tuple[bytes, bytes]]:
        """Up to `limit` rows from `start` up to, not including, `end` (None: the column's end)."""
        found: list[tuple[bytes, bytes]] = []
        try:
            rows = self._readers[column].iter()
            rows.seek(start)
            while len(found) < limit and rows.valid():
                key: bytes = rows.key()
                if end is not None and key >= end:
                    break
                found.append((key, rows.value()))
                rows.next()
            rows.status()
        except Exception as error:
            raise StoreBroken(f"cannot read the data directory: {error}") from error
        return found

    def property(self, name: str) -> int | None:
        """RocksDB's `rocksdb.<name>`, such as `background-errors` or `is-write-stopped`."""
        if name not in _COLUMN_PROPERTIES:
            return self._db.property_int_value(f"rocksdb.{name}")
        values = [each.property_int_value(f"rocksdb.{name}") for each in self._readers.values()]
        return sum(value for value in values if value is not None)

    def checkpoint(self, path: Path) -> None:
        """Make `path`, on the same file system, a copy of the rows as they are at one moment.

        For any thread. Rows that are not in a file yet are written to one first, without the
        interpreter lock; the checkpoint itself, which is mostly links, holds it for milliseconds.

        Raises:
            StoreError: It could not be made; the store goes on.
        """
        try:
            for reader in list(self._readers.values()):
                reader.flush(wait=True)
            Checkpoint(self._db).create_checkpoint(str(path))
        except Exception as error:
            raise StoreError(f"cannot make a checkpoint at {path}: {error}") from error

    def renew_epoch(self) -> str:
        """Make these rows another incarnation: clients that knew the one before start again."""
        epoch = secrets.token_hex(16)
        batch = WriteBatch(raw_mode=True)
        batch.put(META_EPOCH, epoch.encode(), self.columns.meta)
        self.write(batch)
        self.sync()
        self.epoch = epoch
        return epoch

    def close(self) -> None:
        """Let go of the data directory. What was written but not synced may be lost."""
        for name in COLUMNS:
            if hasattr(self.columns, name):
                delattr(self.columns, name)
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._db.close()

    def _identify(self) -> None:
        """Read who this data is; give it an identity if it is new."""
        meta = self.columns.meta
        recorded = self.get(meta, META_FORMAT)
        if recorded is None:
            self._make_identity()
        elif int(recorded) > FORMAT_VERSION:
            raise FormatTooNew(
                f"this data directory has format {int(recorded)}, this version reads up to "
                f"{FORMAT_VERSION}: use the newer hivewire that wrote it"
            )
        elif int(recorded) < FORMAT_VERSION:
            raise StoreError(
                f"this data directory has format {int(recorded)}, of a version before the first "
                "release: start with an empty one"
            )
        epoch, secret = self.get(meta, META_EPOCH), self.get(meta, META_SECRET)
        if epoch is None or secret is None:
            raise StoreCorrupt("the data directory has a format but no epoch or secret")
        self.epoch, self.secret = epoch.decode(), secret

    def _make_identity(self) -> None:
        """One batch, so that a crash leaves all of it or nothing; durable before anyone sees it."""
        batch, meta = WriteBatch(raw_mode=True), self.columns.meta
        batch.put(META_FORMAT, b"%d" % FORMAT_VERSION, meta)
        batch.put(META_EPOCH, secrets.token_hex(16).encode(), meta)
        batch.put(META_SECRET, secrets.token_bytes(32), meta)
        batch.put(META_CREATED, b"%d" % (time.time_ns() // 1_000_000), meta)
        self.write(batch)
        self.sync()


def _prepare_directory(path: Path) -> Path:
    """Make the data directory for its owner alone, its own entry durable in its parent."""
    if (path / BACKUP_RECORD).exists():
        raise StoreError(f"{path} is a backup: `hivewire restore` makes a data directory of it")
    if (path / RESTORING).exists():
        raise StoreError(f"a restore into {path} did not come to its end: run it again")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        database = path / DATABASE
        database.mkdir(mode=0o700, exist_ok=True)
        for directory in (path, path.parent):
            _sync_directory(directory)
    except OSError as error:
        raise StoreError(f"cannot make the data directory {path}: {error.strerror}") from error
    return database


def _sync_directory(path: Path) -> None:
    """RocksDB syncs its own directory, not the ones above it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_links(path: Path, database: Path, aside: Path) -> Rdict:
    """The database, to be read, through links to its files in a new folder."""
    # All table files are opened at once: a node that runs may delete them any moment.
    options = _options(16 * MIB, -1)
    columns = _column_options(Cache(16 * MIB), 16 * MIB)
    access = AccessType.read_only()
    for left in reversed(range(READING_TRIES)):
        folder = aside / str(left)
        folder.mkdir()
        for file in database.iterdir():
            if file.name not in {"LOCK", "LOG", _RAW_MODE}:
                (folder / file.name).symlink_to(file)
        shutil.copy(database / _RAW_MODE, folder)
        _refuse_unknown_columns(folder, options)
        try:
            return Rdict(str(folder), options, column_families=columns, access_type=access)
        except Exception as error:
            # A node that runs may have made or deleted a file just now.
            if not left:
                raise _open_error(path, error) from error
    raise AssertionError("the last try returns or raises")


def _refuse_unknown_columns(database: Path, options: Options) -> None:
    """A column family this version does not know means that a newer one wrote the data."""
    if not (database / "CURRENT").exists():
        return
    unknown = sorted(set(Rdict.list_cf(str(database), options)) - {*COLUMNS, "default"})
    if unknown:
        raise FormatTooNew(
            f"this data directory has column families unknown to this version: {', '.join(unknown)}"
        )


def _open_error(path: Path, error: Exception) -> StoreError:
    text = str(error)
    if "lock file" in text or "lock hold" in text:
        return DataDirectoryHeld(f"the data directory {path} is in use by another process")
    return StoreError(f"cannot open the data directory {path}: {text}")


def _options(write_buffer_bytes: int, max_open_files: int) -> Options:
    """Options of the database as a whole."""
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.create_missing_column_families(create_missing_cfs=True)
    # After a power cut pages of the log that were never synced may be there in any order. Recovery
    # ends at the first record that is not whole: all before it was synced, nothing after it was
    # answered. The stricter modes would refuse to start, the laxer one would skip a batch.
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
    options.set_paranoid_checks(True)
    options.set_db_write_buffer_size(write_buffer_bytes)
    options.set_max_total_wal_size(8 * write_buffer_bytes)
    options.set_max_open_files(max_open_files)
    options.set_max_background_jobs(2)
    # One thread writes, so what lets several write at once only costs.
    options.set_allow_concurrent_memtable_write(False)
    options.set_enable_write_thread_adaptive_yield(False)
    options.set_keep_log_file_num(4)
    options.set_max_log_file_size(8 * MIB)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    return options


def _column_options(cache: Cache, write_buffer_bytes: int) -> dict[str, Options]:
    """Options of each column family, `default` (unused, but RocksDB insists) included."""
    columns = {name: _one_column(cache, write_buffer_bytes) for name in ("default", *COLUMNS)}
    # Nearly every look-up in `keys` is for a key that was never used: a bloom filter over the rows
    # in memory answers it in 0.25 µs instead of 1.1. It costs 0.4 µs a row, so only here.
    columns["keys"].set_memtable_whole_key_filtering(True)
    columns["keys"].set_memtable_prefix_bloom_ratio(0.1)
    return columns


def _one_column(cache: Cache, write_buffer_bytes: int) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(cache)
    table.set_block_size(8 * 1024)
    table.set_bloom_filter(10, block_based=False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    # The filter of a merged file has more than a megabyte, more than a part of the cache holds: it
    # would be read anew for each look-up. In pieces of a block it is cached like everything else.
    table.set_index_type(BlockBasedIndexType.two_level_index_search())
    table.set_partition_filters(True)
    table.set_metadata_block_size(4096)
    table.set_pin_top_level_index_and_filter(True)
    options = Options(raw_mode=True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(write_buffer_bytes // 4)
    options.set_max_write_buffer_number(4)
    options.set_compression_type(DBCompressionType.lz4())
    # Keys come in hash order, so each file overlaps all others: merging a few whole generations
    # rewrites a row less often than merging levels does.
    options.set_compaction_style(DBCompactionStyle.universal())
    options.set_level_zero_file_num_compaction_trigger(8)
    return options
