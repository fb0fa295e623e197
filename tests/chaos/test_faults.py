"""The fault shims themselves, against plain files and against RocksDB alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.chaos.faults import IoFault, PowerCut, small_disk

if TYPE_CHECKING:
    from pathlib import Path

ROCKS = """
    import os, sys, rocksdict
    mode, path = sys.argv[1:]
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    db = rocksdict.Rdict(path, options)
    for n in range(20_000):
        db.put(b"%08d" % n, b"v" * 100)
        if mode == "synced" and n % 500 == 499:
            db.flush_wal(True)
            os.write(1, b"%d\\n" % n)
    os.write(1, b"end\\n")
    import time; time.sleep(60)
"""
READ = """
    import sys, rocksdict
    options = rocksdict.Options(raw_mode=True)
    db = rocksdict.Rdict(sys.argv[1], options)
    keys = list(db.keys())
    assert keys == [b"%08d" % n for n in range(len(keys))], "a hole"
    print(len(keys))
"""


def script(
    text: str, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", textwrap.dedent(text), *arguments]
    return subprocess.Popen(command, env=os.environ | (env or {}), stdout=subprocess.PIPE)


def run_and_kill(mode: str, path: Path, env: dict[str, str]) -> int:
    """Fill a database, kill the process at the end; how many rows it had been told are synced."""
    process = script(ROCKS, mode, str(path), env=env)
    assert process.stdout is not None
    told = 0
    for line in process.stdout:
        if line == b"end\n":
            break
        told = int(line) + 1
    process.send_signal(signal.SIGKILL)
    process.communicate()  # closes the pipe
    return told


def rows(path: Path) -> int:
    done = script(READ, str(path))
    out, _ = done.communicate(timeout=30)
    assert done.returncode == 0
    return int(out)


def test_a_power_cut_keeps_what_rocksdb_synced(tmp_path: Path) -> None:
    path = tmp_path / "db"
    cut = PowerCut(path, tmp_path / "scratch")
    told = run_and_kill("synced", path, cut.begin())
    assert told == 20_000
    assert cut.syncs() >= 40
    cut.apply()
    assert rows(path) == told


def test_a_power_cut_loses_what_rocksdb_did_not_sync(tmp_path: Path) -> None:
    path = tmp_path / "db"
    cut = PowerCut(path, tmp_path / "scratch")
    run_and_kill("unsynced", path, cut.begin())
    assert cut.apply() > 2_000_000
    assert rows(path) == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_power_cut_that_keeps_parts_leaves_a_prefix(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "db"
    cut = PowerCut(path, tmp_path / "scratch")
    told = run_and_kill("synced", path, cut.begin())
    cut.apply(random.Random(seed))
    assert rows(path) >= told


def test_kill_9_alone_loses_nothing_so_the_two_are_different_tests(tmp_path: Path) -> None:
    path = tmp_path / "db"
    run_and_kill("unsynced", path, {})
    assert rows(path) == 20_000


FILES = """
    import os, sys
    root = sys.argv[1]
    def write(name, data, sync):
        fd = os.open(f"{root}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, data)
        if sync: os.fsync(fd)
        os.close(fd)
    def syncdir():
        fd = os.open(root, os.O_RDONLY); os.fsync(fd); os.close(fd)
    write("CURRENT", b"old", True); write("removed", b"still here", True); syncdir()
    write("whole", b"abc", True); write("whole", b"def", False)
    syncdir()
    write("nameless", b"abc", True)
    write("CURRENT.tmp", b"new", True); os.rename(f"{root}/CURRENT.tmp", f"{root}/CURRENT")
    os.unlink(f"{root}/removed")
    if sys.argv[2] == "syncdir": syncdir()
"""


@pytest.mark.parametrize("end", ["syncdir", "cut"])
def test_names_survive_only_when_their_directory_was_synced(tmp_path: Path, end: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    cut = PowerCut(root, tmp_path / "scratch")
    script(FILES, str(root), end, env=cut.begin()).communicate()
    cut.apply()
    left = {path.name: path.read_text() for path in root.iterdir()}
    if end == "syncdir":
        assert left == {"CURRENT": "new", "whole": "abc", "nameless": "abc"}
    else:
        # CURRENT.tmp was never there: its making had not reached the disk either.
        assert left == {"CURRENT": "old", "whole": "abc", "removed": "still here"}


ROOM = """
    import os, sys
    fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    os.write(fd, b"a" * 5000); os.posix_fallocate(fd, 5000, 45_000); os.fdatasync(fd)
    os.write(fd, b"b" * 20_000); os.fsync(os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY))
"""


@pytest.mark.parametrize("seed", [None, *range(8)])
def test_in_a_file_with_room_what_was_not_synced_goes_page_by_page(
    tmp_path: Path, seed: int | None
) -> None:
    """Its length was synced, and its pages are written in any order."""
    (tmp_path / "root").mkdir()
    cut, file = PowerCut(tmp_path / "root", tmp_path / "scratch"), tmp_path / "root" / "log"
    script(ROOM, str(file), env=cut.begin()).communicate()
    went = cut.apply(None if seed is None else random.Random(seed))
    left = file.read_bytes()
    assert (len(left), left[:5000]) == (50_000, b"a" * 5000)
    assert left[5000:].count(b"b") == 20_000 - went
    assert went == 20_000 or seed is not None
    pages = {left[at : at + 4096] for at in range(8192, 24_576, 4096)}
    assert pages <= {b"b" * 4096, bytes(4096)}, "a page is there, or it is not"


SYNCING = """
    import os, sys, rocksdict
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    db = rocksdict.Rdict(sys.argv[1], options)
    n = 0
    try:
        while True:
            db.put(b"%08d" % n, b"v")
            db.flush_wal(True)
            n += 1
            os.write(1, b"%d\\n" % n)
    except Exception as error:
        os.write(1, b"error %s\\n" % str(error).encode())
"""


@pytest.mark.parametrize(
    ("error", "calls", "words"),
    [("EIO", "fsync,fdatasync", "Input/output"), ("ENOSPC", "write,pwrite", "No space")],
)
def test_rocksdb_reports_the_faults(tmp_path: Path, error: str, calls: str, words: str) -> None:
    path = tmp_path / "db"
    fault = IoFault(tmp_path)
    process = script(SYNCING, str(path), env=fault.env)
    assert process.stdout is not None
    with process.stdout as stdout:
        for _ in range(50):
            assert stdout.readline().strip().isdigit()
        fault.arm(error, calls, str(path))
        said = [line.decode() for line in stdout]
    assert words in said[-1], said[-1]
    assert fault.hits() > 0
    assert process.wait(10) == 0
    assert rows(path) >= len(said) - 1 + 50


def test_a_small_disk_is_full_soon(tmp_path: Path) -> None:
    try:
        with (
            small_disk(tmp_path / "disk", "1m") as disk,
            pytest.raises(OSError, match="No space"),
        ):
            (disk / "file").write_bytes(b"x" * (2 << 20))
    except PermissionError as error:
        pytest.skip(f"a tmpfs cannot be mounted here: {error}")
