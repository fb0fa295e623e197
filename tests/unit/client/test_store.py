"""What is written together is there together or not at all."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from hivewire.client.store import Change, Store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_rows_outlive_the_store(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.write([Change("records", "b", [1]), Change("records", "a", {"x": "ü"})])
        store.write([Change("state", "place", 7), Change("records", "c", "gone")])
        store.write([Change("records", "c")])
    with Store(tmp_path / "s") as store:
        assert store.read("records") == {"a": {"x": "ü"}, "b": [1]}
        assert list(store.read("records")) == ["a", "b"]
        assert store.read("state") == {"place": 7}
        assert store.read("outbox") == {}


def test_names_are_found_by_what_they_begin_with(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.write([Change("records", name, 1) for name in ("a%1", "a%2", "ab", "b")])
        assert list(store.read("records", "a%")) == ["a%1", "a%2"]


def test_a_table_can_be_emptied_and_filled_in_one(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.write([Change("records", "a", 1)])
        store.write([Change("records"), Change("records", "b", 2)])
        assert store.read("records") == {"b": 2}


def test_all_or_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        with pytest.raises(TypeError):
            store.write([Change("records", "a", 1), Change("records", "b", object())])
        assert store.read("records") == {}
        store.write([Change("records", "a", 1)])
        assert store.read("records") == {"a": 1}


def test_only_its_owner_reads_it_and_nothing_else_is_taken_for_it(tmp_path: Path) -> None:
    with Store(tmp_path / "s"):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    (tmp_path / "other").write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(sqlite3.DatabaseError):
        Store(tmp_path / "other")


def test_one_program_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hivewire.client.store.BUSY_SECONDS", 0.05)
    with Store(tmp_path / "s"), pytest.raises(sqlite3.OperationalError, match="locked"):
        Store(tmp_path / "s")
    Store(tmp_path / "s").close()
