"""What a backup says about itself; files that are copied onto the disk."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from hivewire.backup.record import CHUNK_BYTES, Abandoned, BackupError, Record, copy, size_of

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record("1.2.3", 2, "e", 17, {"CURRENT": 16, "1.sst": 84}, 2, 900)
    record.write(tmp_path)
    assert Record.read(tmp_path) == record
    assert record.bytes == 1000


def test_a_directory_without_one_is_no_backup(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BackupError, match="no whole backup"):
            Record.read(path)


def test_a_copy_is_the_owners_alone_and_can_be_called_off(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(CHUNK_BYTES + 1))
    copy(source, tmp_path / "copy", lambda: False)
    assert (tmp_path / "copy").stat().st_size == CHUNK_BYTES + 1
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    asked = iter([False, True])
    with pytest.raises(Abandoned):
        copy(source, tmp_path / "half", lambda: next(asked))


def test_sizes_are_those_of_files(tmp_path: Path) -> None:
    assert size_of(tmp_path / "nowhere") == (0, 0)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"123")
    assert size_of(tmp_path) == (1, 3)
