"""The log's room: what it saves, and that it costs nothing when the power goes."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import structlog

from hivewire.store.ahead import AHEAD_BYTES, LOOK_EVERY, SPARE_BYTES
from hivewire.store.rocks import DATABASE, Rocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 4096
ROW = b"v" * 1000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Rocks]:
    with closing(Rocks.open(tmp_path / "data")) as store:
        yield store


def put(store: Rocks, number: int, rows: int = 1) -> None:
    batch = store.batch()
    for row in range(rows):
        batch.put(b"%06d-%06d" % (number, row), ROW, store.columns.timeline)
    store.write(batch)


def commit(store: Rocks, number: int) -> None:
    put(store, number)
    store.sync()


def newest(path: Path) -> Path:
    return max((path / DATABASE).glob("*.log"))


def end_of(log: Path) -> int:
    """Where what was written ends."""
    return len(log.read_bytes().rstrip(b"\0"))


def killed(path: Path) -> Path:
    """A copy of what the files hold at this moment."""
    return shutil.copytree(path, path.with_name("killed"), ignore=shutil.ignore_patterns("LOCK"))


def numbers(path: Path) -> list[tuple[int, int]]:
    with closing(Rocks.open(path)) as store:
        rows = store.scan(store.columns.timeline, b"", None, 10_000)
    return [tuple(map(int, key.split(b"-"))) for key, _ in rows]  # type: ignore[misc]


def test_a_sync_finds_the_log_as_long_as_it_was(store: Rocks, tmp_path: Path) -> None:
    commit(store, 0)
    log = newest(tmp_path / "data")
    length = log.stat().st_size
    assert length >= AHEAD_BYTES > end_of(log)
    for number in range(1, 100):
        commit(store, number)
        assert log.stat().st_size == length
    assert end_of(log) > 100 * len(ROW)


def test_it_is_made_longer_before_it_is_full(store: Rocks, tmp_path: Path) -> None:
    commit(store, 0)
    log = newest(tmp_path / "data")
    for number in range(2 * AHEAD_BYTES // (100 * len(ROW))):
        put(store, number, rows=100)
        store.sync()
        assert newest(tmp_path / "data") != log or log.stat().st_size - end_of(log) > PAGE
    assert 2 * 100 * len(ROW) < SPARE_BYTES


def test_a_new_log_gets_room_too(store: Rocks, tmp_path: Path) -> None:
    commit(store, 0)
    first = newest(tmp_path / "data")
    store.checkpoint(tmp_path / "copy")
    for number in range(1, LOOK_EVERY + 2):
        commit(store, number)
    second = newest(tmp_path / "data")
    assert second != first
    assert second.stat().st_size >= AHEAD_BYTES


def test_I12_after_kill_9_all_that_was_written_is_there(store: Rocks, tmp_path: Path) -> None:
    for number in range(50):
        commit(store, number)
    put(store, 50)
    left = killed(tmp_path / "data")
    assert numbers(left) == [(number, 0) for number in range(51)]
    assert "Corruption" not in (left / DATABASE / "LOG").read_text()


@pytest.mark.parametrize("lost", range(12))
def test_I12_of_a_group_that_a_power_cut_tore_nothing_is_there(
    store: Rocks, tmp_path: Path, lost: int
) -> None:
    """Its pages reach the disk in any order; those that did not, read as zeros."""
    for number in range(5):
        commit(store, number)
    begin = end_of(newest(tmp_path / "data"))
    put(store, 5, rows=45)
    left = killed(tmp_path / "data")
    log = newest(left)
    page = begin // PAGE + lost
    at, behind = max(begin, page * PAGE), (page + 1) * PAGE
    assert at < end_of(log)
    with log.open("r+b") as file:
        file.seek(at)
        file.write(bytes(behind - at))
    assert numbers(left) == [(number, 0) for number in range(5)]


def test_where_there_is_no_room_syncs_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with (
        structlog.testing.capture_logs() as logs,
        closing(Rocks.open(tmp_path / "data")) as store,
    ):
        for number in range(LOOK_EVERY + 2):
            commit(store, number)
        assert newest(tmp_path / "data").stat().st_size < AHEAD_BYTES
    assert [line["log_level"] for line in logs] == ["warning"]
