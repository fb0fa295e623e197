"""A backup is read back: as another incarnation, all of it or nothing."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest

from hivewire.backup import BackupError, Record, make_backup, restore
from hivewire.store import FormatTooNew, StoreError
from hivewire.store.rocks import Rocks
from hivewire.store.verify import verify

from .lived import UPLOAD, lived, source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    data, to = tmp_path / "data", tmp_path / "backup"
    with contextlib.closing(lived(data)) as store:
        make_backup(source(store, data), to)
    return to


def test_all_of_it_is_back_under_a_new_epoch(tmp_path: Path, backup: Path) -> None:
    new = tmp_path / "new"
    record = restore(backup, new)
    assert (new / "media" / "0a" / "picture").read_bytes() == UPLOAD
    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    with (
        contextlib.closing(Rocks.open(tmp_path / "data")) as old,
        contextlib.closing(Rocks.open(new, create=False)) as store,
    ):
        report = verify(store)
        assert report.ok
        assert report.counts == verify(old).counts
        assert report.counts["messages"] > 10
        assert store.epoch != old.epoch == record.epoch
        assert store.secret == old.secret
    # The backup is as it was, and may be restored again.
    assert restore(backup, tmp_path / "again") == record


def test_a_backup_is_no_data_directory(backup: Path) -> None:
    with pytest.raises(StoreError, match="is a backup"):
        Rocks.open(backup)


def test_it_is_restored_into_an_empty_directory_only(tmp_path: Path, backup: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    restore(backup, new)
    before = sorted(new.rglob("*"))
    with pytest.raises(BackupError, match="not empty"):
        restore(backup, new)
    assert sorted(new.rglob("*")) == before


def test_a_restore_that_was_killed_starts_no_node_and_is_done_again(
    tmp_path: Path, backup: Path
) -> None:
    new = tmp_path / "new"
    (new / "restoring" / "db").mkdir(parents=True)
    (new / "media").mkdir()
    with pytest.raises(StoreError, match="did not come to its end"):
        Rocks.open(new)
    restore(backup, new)
    Rocks.open(new, create=False).close()


@pytest.mark.parametrize("harm", ["no record", "torn record", "short", "missing", "no upload"])
def test_half_a_backup_is_refused(tmp_path: Path, backup: Path, harm: str) -> None:
    table = max((backup / "db").glob("*.sst"), key=lambda file: file.stat().st_size)
    if harm == "no record":
        (backup / "backup.json").unlink()
    elif harm == "torn record":
        (backup / "backup.json").write_bytes((backup / "backup.json").read_bytes()[:-5])
    elif harm == "short":
        data = table.read_bytes()
        table.unlink()
        table.write_bytes(data[:-1])
    elif harm == "missing":
        table.unlink()
    else:
        (backup / "media" / "0a" / "picture").unlink()
    with pytest.raises(BackupError):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_one_of_a_newer_version_is_refused(tmp_path: Path, backup: Path) -> None:
    newer = msgspec.structs.replace(Record.read(backup), format=99)
    newer.write(backup)
    with pytest.raises(FormatTooNew, match="format 99"):
        restore(backup, tmp_path / "new")
