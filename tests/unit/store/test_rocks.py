from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rocksdict import Options, Rdict

from hivewire.store import DataDirectoryHeld, FormatTooNew, StoreError, keys
from hivewire.store.rocks import Rocks

if TYPE_CHECKING:
    from pathlib import Path

WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from hivewire.store.rocks import Rocks
store = Rocks.open(Path(sys.argv[1]))
for number in range(3):
    batch = store.batch()
    batch.put(b"key-%d" % number, b"value", store.columns.timeline)
    batch.put(b"key-%d" % number, b"value", store.columns.messages)
    store.write(batch)
    if number < 2:
        store.sync()
os.kill(os.getpid(), signal.SIGKILL)
"""

HOLD = """
import sys
from pathlib import Path
from hivewire.store.rocks import Rocks
store = Rocks.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_it_is_the_same_data_after_closing_and_opening(tmp_path: Path) -> None:
    store = Rocks.open(tmp_path / "data")
    identity = (store.epoch, store.secret)
    batch = store.batch()
    batch.put(b"key", b"value", store.columns.keys)
    store.write(batch)
    store.sync()
    store.close()
    store = Rocks.open(tmp_path / "data")
    assert (store.epoch, store.secret) == identity
    assert store.get(store.columns.keys, b"key") == b"value"
    store.close()


def test_each_data_directory_has_its_own_identity(tmp_path: Path) -> None:
    first, second = Rocks.open(tmp_path / "one"), Rocks.open(tmp_path / "two")
    assert first.epoch != second.epoch
    assert first.secret != second.secret
    assert (len(first.epoch), len(first.secret)) == (32, 32)
    first.close()
    second.close()


def test_the_directory_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    Rocks.open(tmp_path / "data").close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_directory_held_by_another_process_is_a_clear_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataDirectoryHeld, match=str(tmp_path)):
            Rocks.open(tmp_path)
        holder.communicate()
    Rocks.open(tmp_path).close()


def test_held_by_this_process_too(tmp_path: Path) -> None:
    store = Rocks.open(tmp_path)
    with pytest.raises(DataDirectoryHeld):
        Rocks.open(tmp_path)
    store.close()


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = Rocks.open(tmp_path)
    batch = store.batch()
    batch.put(keys.META_FORMAT, b"%d" % (keys.FORMAT_VERSION + 1), store.columns.meta)
    store.write(batch)
    store.close()
    for _ in range(2):
        with pytest.raises(FormatTooNew):
            Rocks.open(tmp_path)


def test_a_format_from_before_the_first_release_is_refused_in_words(tmp_path: Path) -> None:
    store = Rocks.open(tmp_path)
    batch = store.batch()
    batch.put(keys.META_FORMAT, b"%d" % (keys.FORMAT_VERSION - 1), store.columns.meta)
    store.write(batch)
    store.close()
    with pytest.raises(StoreError, match="start with an empty one"):
        Rocks.open(tmp_path)


def test_column_families_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    Rocks.open(tmp_path).close()
    columns = {name: Options(raw_mode=True) for name in ("default", *keys.COLUMNS)}
    database = Rdict(str(tmp_path / "db"), Options(raw_mode=True), column_families=columns)
    database.create_column_family("reactions", Options(raw_mode=True))
    database.close()
    with pytest.raises(FormatTooNew, match="reactions"):
        Rocks.open(tmp_path)


def test_no_directory_is_made_when_none_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a data directory"):
        Rocks.open(tmp_path / "data", create=False)
    assert not (tmp_path / "data").exists()


def test_a_path_that_cannot_be_a_directory_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make"):
        Rocks.open(tmp_path / "file")


def test_I12_it_opens_by_itself_after_kill_9_with_whole_batches(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", WRITE_AND_DIE, str(tmp_path)], check=False, env={**os.environ}
    )
    assert died.returncode == -9
    store = Rocks.open(tmp_path)
    columns = store.columns
    for number in range(3):
        key = b"key-%d" % number
        assert store.get(columns.timeline, key) == store.get(columns.messages, key) == b"value"
    store.close()


def test_health_is_told(tmp_path: Path) -> None:
    store = Rocks.open(tmp_path)
    assert store.property("background-errors") == 0
    assert store.property("is-write-stopped") == 0
    assert store.property("no-such-thing") is None
    store.close()


def test_it_is_read_beside_a_node_and_nothing_changes(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a data directory"), Rocks.open_to_read(tmp_path):
        pass
    data = tmp_path / "data"
    store = Rocks.open(data)
    for value in (b"1", b"2"):
        batch = store.batch()
        batch.put(b"key-" + value, value, store.columns.keys)
        store.write(batch)
        store.sync()

    def files() -> list[tuple[str, int, int]]:
        states = ((file.name, file.stat()) for file in (data / "db").iterdir())
        return sorted((name, state.st_size, state.st_mtime_ns) for name, state in states)

    before = files()
    with Rocks.open_to_read(data) as reader:
        assert reader.epoch == store.epoch
        found = reader.scan(reader.columns.keys, b"key", None, 9)
        assert found == [(b"key-1", b"1"), (b"key-2", b"2")]
        with pytest.raises(StoreError):
            reader.write(reader.batch())
    assert files() == before
    store.close()


def test_figures_are_those_of_all_columns(tmp_path: Path) -> None:
    store = Rocks.open(tmp_path / "data")
    batch = store.batch()
    for column in (store.columns.keys, store.columns.messages):
        for number in range(5):
            batch.put(b"%d" % number, b"value", column)
    store.write(batch)
    assert (store.property("estimate-num-keys") or 0) >= 10
    assert store.property("background-errors") == 0
    store.close()


def test_a_checkpoint_is_the_rows_of_one_moment_and_a_new_epoch_lasts(tmp_path: Path) -> None:
    store = Rocks.open(tmp_path / "data")
    batch = store.batch()
    batch.put(b"key", b"value", store.columns.keys)
    store.write(batch)
    (tmp_path / "copy").mkdir()
    store.checkpoint(tmp_path / "copy" / "db")
    with pytest.raises(StoreError, match="checkpoint"):
        store.checkpoint(tmp_path / "copy" / "db")
    copied = Rocks.open(tmp_path / "copy", create=False)
    assert copied.get(copied.columns.keys, b"key") == b"value"
    assert copied.epoch == store.epoch
    epoch = copied.renew_epoch()
    copied.close()
    copied = Rocks.open(tmp_path / "copy", create=False)
    assert copied.epoch == epoch != store.epoch
    copied.close()
    store.close()
