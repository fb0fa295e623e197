"""What the doctor sees."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hivewire import doctor
from hivewire.config import load

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]


def levels(findings: object) -> dict[str, str]:
    return {finding.what: finding.level for finding in findings}  # type: ignore[attr-defined]


def test_a_healthy_machine_has_no_errors(tmp_path: Path) -> None:
    settings = load(
        auth={"secret": "s" * 32},
        edge={"address": "127.0.0.1:0"},
        api={"address": "127.0.0.1:0"},
        limits={"max_connections": 100},
        store={"path": tmp_path / "data"},
    )
    findings = [finding for finding in doctor.examine(settings) if finding.is_error]
    assert findings == []
    assert not (tmp_path / "data").exists()


def test_a_library_that_does_not_load_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rocksdict", None)
    assert levels(doctor.libraries())["rocksdict"] == "error"


def test_a_missing_key_is_a_warning_and_a_broken_one_an_error(tmp_path: Path) -> None:
    missing = load(store={"path": tmp_path})
    broken = load(auth={"algorithm": "RS256", "public_key": "/nowhere.pem"})
    short = load(auth={"secret": "short"})
    assert levels(doctor.key(missing)) == {"auth": "warning"}
    assert levels(doctor.key(broken)) == {"auth": "error"}
    assert levels(doctor.key(short)) == {"auth": "warning"}


def test_too_few_files_are_an_error() -> None:
    settings = load(limits={"max_connections": 2_000_000}, edge={"shards": 1})
    assert levels(doctor.file_tables(settings))["open files"] == "error"


def test_looking_for_file_tables_leaves_the_callers_alone(tmp_path: Path) -> None:
    """It once ran in the main thread, and other threads no longer saw the files opened there."""
    assert doctor.has_own_tables()
    with (tmp_path / "file").open("wb") as file, ThreadPoolExecutor(1) as thread:
        thread.submit(os.fdatasync, file.fileno()).result()


def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = load(edge={"address": f"127.0.0.1:{port}"}, api={"address": "127.0.0.1:0"})
        assert levels(doctor.ports(settings)) == {"edge": "error", "api": "ok"}


def test_an_open_data_directory_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert levels(doctor.disk(tmp_path))["data"] == "warning"
    tmp_path.chmod(0o700)
    assert "data" not in levels(doctor.disk(tmp_path))


def test_a_failing_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(doctor.os, "fdatasync", fail)
    assert levels(doctor.disk(tmp_path))["disk"] == "error"


def test_a_shorter_queue_than_the_shards_ask_for_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = (ROOT / "rust/engine/src/shard/accept.rs").read_text()
    assert f"const BACKLOG: i32 = {doctor.SOMAXCONN:_};" in source
    for backlog, level in ((4_096, "warning"), (doctor.SOMAXCONN, "ok")):
        monkeypatch.setattr(doctor, "read_number", lambda _, told=backlog: told)
        assert levels(doctor.kernel())["somaxconn"] == level


def test_findings_read_well() -> None:
    line = doctor.Finding("warning", "somaxconn", "128").line()
    assert line == "warning  somaxconn     128"


def test_too_little_memory_is_a_warning_and_too_few_files_of_the_kernel_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = load(limits={"max_connections": 1000}), load(limits={"max_connections": 2_000_000})
    machine = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 20}
    monkeypatch.setattr(os, "sysconf", machine.__getitem__)
    monkeypatch.setattr(doctor, "read_number", lambda _: 100_000)
    assert levels(doctor.room(few)) == {"memory": "ok"}
    assert levels(doctor.room(many)) == {"file-max": "error", "memory": "warning"}
