"""The faults that a disk and a power supply have, for any process: power cuts, I/O errors, full
disks.

cut = PowerCut(data, scratch)          fault = IoFault(scratch)
node.start(extra_env=cut.begin())      node.start(extra_env=fault.env)
…load, then SIGKILL…                   fault.arm("EIO", "fsync,fdatasync", str(data))
cut.apply(rng)                         …
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

SHIMS = Path(__file__).parent / "shim"
PAGE_BYTES = 4096


@functools.cache
def shim(name: str) -> Path:
    """Compile one of the preload libraries, once a session."""
    folder = tempfile.mkdtemp(prefix="hivewire-shim-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    out = Path(folder) / f"{name}.so"
    command = [
        "cc",
        "-O1",
        "-Wall",
        "-shared",
        "-fPIC",
        "-o",
        str(out),
        str(SHIMS / f"{name}.c"),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return out


@dataclass
class _File:
    """A file through all its names: what of it is on the disk for sure."""

    durable: int = 0
    """So many bytes of what was written."""
    length: int = 0
    """So long it is. What it was made longer by beforehand reads as zeros."""


@dataclass
class _Change:
    """A change of names that may not have reached the disk: `undo` takes what the side log says."""

    fields: list[str]

    @property
    def directory(self) -> str:
        name = self.fields[2] if self.fields[0] == "rename" else self.fields[1]
        return os.path.dirname(name)  # noqa: PTH120 - strings as the log has them

    def undo(self) -> None:
        kind, path, *more = self.fields
        if kind == "create":
            Path(path).unlink(missing_ok=True)
        elif kind == "rename":
            target, grave = more
            if Path(target).exists():
                Path(target).rename(path)
            _restore(target, grave)
        elif kind == "unlink":
            _restore(path, more[0])


def _restore(path: str, grave: str) -> None:
    if grave != "-":
        os.link(grave, path)


class PowerCut:
    """Everything below `root` as a power cut would leave it, by the side log of shim/powercut.c.

    The making of directories counts as durable at once: the store makes its own at its first start
    only.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.log = scratch / "powercut.log"
        self.graves = scratch / "powercut.graves"
        self._before: dict[str, int] = {}

    def begin(self) -> dict[str, str]:
        """Take what is there now as durable; returns the environment for the process."""
        shutil.rmtree(self.graves, ignore_errors=True)
        self.graves.mkdir(parents=True)
        self.log.write_text("")
        self._before = {str(path): path.stat().st_size for path in self._files()}
        return {
            "LD_PRELOAD": str(shim("powercut")),
            "POWERCUT_ROOT": str(self.root),
            "POWERCUT_LOG": str(self.log),
            "POWERCUT_GRAVES": str(self.graves),
        }

    def apply(self, rng: random.Random | None = None) -> int:
        """Cut back after the process was killed; returns how many bytes went.

        Without `rng` nothing survives that was not synced. With it, any part may: a prefix of the
        pending name changes (as a metadata journal keeps them) and a prefix of each file's unsynced
        bytes; where the file was made longer beforehand, any pages of them.
        """
        files, pending = self._replay()
        survivors = rng.randint(0, len(pending)) if rng else 0
        for change in reversed(pending[survivors:]):
            change.undo()
        by_inode = {
            Path(path).stat().st_ino: file for path, file in files.items() if Path(path).exists()
        }
        return sum(self._truncate(path, by_inode, rng) for path in self._files())

    def syncs(self) -> int:
        """How many syncs of files the log has seen."""
        return sum(line.startswith("sync\t") for line in self.log.read_text().splitlines())

    def _truncate(self, path: Path, files: dict[int, _File], rng: random.Random | None) -> int:
        status = path.stat()
        file = files.get(status.st_ino, _File())
        durable = min(file.durable, status.st_size)
        ahead = min(file.length, status.st_size)
        if ahead > durable:
            return _zero(path, durable, ahead, rng) + status.st_size - ahead
        if rng and rng.random() < 0.5:
            durable = rng.randint(durable, status.st_size)
        os.truncate(path, durable)
        return status.st_size - durable

    def _replay(self) -> tuple[dict[str, _File], list[_Change]]:
        """Read the log:

        files by every name (and grave) they have now, and the changes still pending.
        """
        files = {path: _File(size, size) for path, size in self._before.items()}
        pending: list[_Change] = []
        for line in self.log.read_text().splitlines():
            kind, path, *more = fields = line.split("\t")
            if kind == "sync":
                file = files.setdefault(path, _File())
                file.durable, file.length = map(int, more)
            elif kind == "syncdir":
                pending = [change for change in pending if change.directory != path]
            elif kind in ("create", "rename", "unlink"):
                pending.append(_Change(fields))
                _rename(files, kind, path, more)
        return files, pending

    def _files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())


def _zero(path: Path, durable: int, length: int, rng: random.Random | None) -> int:
    """Take what was not synced in a file that is `length` long on the disk.

    Its pages are written in any order, so with `rng` some of them may survive, with holes between.

    Returns:
        How many bytes went, zeros not counted.
    """
    os.truncate(path, length)
    keeps = rng.random() if rng else 0.0
    went = 0
    with path.open("r+b") as file:
        at = durable
        while at < length:
            file.seek(at)
            page = file.read(PAGE_BYTES - at % PAGE_BYTES)
            if page.count(0) < len(page) and not (rng and rng.random() < keeps):
                file.seek(at)
                file.write(bytes(len(page)))
                went += len(page) - page.count(0)
            at += len(page)
    return went


def _rename(files: dict[str, _File], kind: str, path: str, more: list[str]) -> None:
    if kind == "create":
        files[path] = _File()
    elif kind == "rename":
        target, grave = more
        if grave != "-" and target in files:
            files[grave] = files[target]
        files[target] = files.pop(path, _File())
    elif path in files:
        files[more[0]] = files.pop(path)


class IoFault:
    """Calls that fail while armed, by shim/iofault.c."""

    def __init__(self, scratch: Path) -> None:
        self._trigger = scratch / "iofault.trigger"
        self._count = scratch / "iofault.count"
        self.env = {
            "LD_PRELOAD": str(shim("iofault")),
            "IOFAULT_TRIGGER": str(self._trigger),
            "IOFAULT_COUNT": str(self._count),
        }

    def arm(self, error: str, calls: str, part: str) -> None:
        """From now on `calls` ("fsync,fdatasync", "write,pwrite") fail on paths that contain
        `part`. `error` is "EIO", "ENOSPC", or "SLOW300" for calls that take 300 ms more.
        """
        beside = self._trigger.with_suffix(".new")
        beside.write_text(f"{error} {calls} {part}\n")
        beside.rename(self._trigger)

    def disarm(self) -> None:
        self._trigger.unlink(missing_ok=True)

    def hits(self) -> int:
        """How many calls have failed so far."""
        return self._count.stat().st_size if self._count.exists() else 0


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """Mount a tmpfs of `size` ("64m"); needs root: PermissionError says so otherwise."""
    at.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(at)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PermissionError(done.stderr.strip())
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)
