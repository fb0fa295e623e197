"""A backup is made: whole or not at all, and nothing of it is left in the data."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from hivewire.backup import Abandoned, BackupError, Record, make_backup
from hivewire.store import StoreError

from .lived import UPLOAD, lived, source

if TYPE_CHECKING:
    from pathlib import Path


def test_a_backup_holds_rows_and_complete_uploads(tmp_path: Path) -> None:
    data, to = tmp_path / "data", tmp_path / "deep" / "backup"
    (data / "x").mkdir(parents=True)
    with contextlib.closing(lived(data)) as store:
        (data / "dev-secret").write_text("secret")
        record = make_backup(source(store, data), to)
        assert record == Record.read(to)
        assert record.epoch == store.epoch
    assert sorted(entry.name for entry in to.iterdir()) == [
        *("backup.json", "db", "dev-secret", "media")
    ]
    assert [entry.name for entry in (to / "media").iterdir()] == ["0a"]
    assert (to / "media" / "0a" / "picture").read_bytes() == UPLOAD
    assert (record.media_files, record.media_bytes) == (1, len(UPLOAD))
    assert stat.S_IMODE(to.stat().st_mode) == 0o700
    assert stat.S_IMODE((to / "dev-secret").stat().st_mode) == 0o600
    assert not (data / "checkpoint").exists()
    assert not to.with_name("backup.partial").exists()


def test_on_another_file_system_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def far(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    data, to = tmp_path / "data", tmp_path / "backup"
    with contextlib.closing(lived(data)) as store:
        monkeypatch.setattr(os, "link", far)
        record = make_backup(source(store, data), to)
    picture = to / "media" / "0a" / "picture"
    assert picture.read_bytes() == UPLOAD
    assert picture.stat().st_nlink == 1
    assert {file.name: file.stat().st_size for file in (to / "db").iterdir()} == record.files


def test_it_never_takes_the_place_of_something(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with contextlib.closing(lived(data)) as store:
        for place, words in ((tmp_path, "is there already"), (data / "inside", "lies in the data")):
            with pytest.raises(BackupError, match=words):
                make_backup(source(store, data), place)
    assert not (data / "inside.partial").exists()


def test_what_a_killed_backup_left_is_thrown_away(tmp_path: Path) -> None:
    data, to = tmp_path / "data", tmp_path / "backup"
    with contextlib.closing(lived(data)) as store:
        for left in (to.with_name("backup.partial") / "db", data / "checkpoint"):
            left.mkdir(parents=True)
            (left / "half").write_bytes(b"x")
        (data / "checkpoint.tmp").mkdir()
        make_backup(source(store, data), to)
    assert not (to / "db" / "half").exists()
    assert not (data / "checkpoint").exists()


@pytest.mark.parametrize("after", range(0, 8, 2))
def test_one_that_is_called_off_leaves_nothing(tmp_path: Path, after: int) -> None:
    asked = iter([False] * after + [True] * 100)
    data, to = tmp_path / "data", tmp_path / "backup"
    with contextlib.closing(lived(data)) as store:
        with pytest.raises(Abandoned):
            make_backup(source(store, data), to, lambda: next(asked))
        assert store.last(store.columns.messages, b"") is not None, "it is open as before"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data"]
    assert not (data / "checkpoint").exists()


def test_a_checkpoint_that_cannot_be_made_is_no_backup(tmp_path: Path) -> None:
    data, to = tmp_path / "data", tmp_path / "backup"
    store = lived(data)
    store.close()
    with pytest.raises(StoreError):
        make_backup(source(store, data), to)
    assert not to.exists()
    assert not to.with_name("backup.partial").exists()
