"""The node under load: a process of our own in a temporary directory, or one that runs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READY_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 60.0
SET_PARENT_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of Linux."""
HEADROOM: Final = 1.02
"""Connections that the node allows, by those that come: who reconnects may overlap with himself."""


class NodeFailed(Exception):
    """The node did not start, or said something odd."""


@dataclass(frozen=True)
class Probe:
    """What the node needed so far: resident bytes, CPU seconds, connections."""

    resident: float = 0.0
    cpu: float = 0.0
    connections: float = 0.0
    at: float = 0.0


def probe(api: str | None) -> Probe:
    """Read `/metrics`; all zero where there is no address to ask, or nobody answers any more."""
    if api is None:
        return Probe(at=time.monotonic())
    try:
        with urllib.request.urlopen(f"{api}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return Probe(at=time.monotonic())
    found = dict(line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
    return Probe(
        resident=float(found.get("process_resident_memory_bytes", 0)),
        cpu=float(found.get("process_cpu_seconds_total", 0)),
        connections=float(found.get("hivewire_connections", 0)),
        at=time.monotonic(),
    )


def kernel_bytes() -> int:
    """What the kernel's own objects take on this machine, sockets among them."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, kilobytes = line.partition(":")
        if name == "Slab":
            return int(kilobytes.split()[0]) * 1024
    return 0


def _end_with_parent() -> None:
    """In the child: SIGTERM comes when Locust is gone, however it went."""
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


class Node:
    """`hivewire serve` with room for `connections`; all else as it is by default."""

    def __init__(self, connections: int) -> None:
        self.secret = secrets.token_hex(32)
        self._work = Path(tempfile.mkdtemp(prefix="hivewire-load-"))
        self._log = (self._work / "node.log").open("ab")
        settings = {
            "AUTH__SECRET": self.secret,
            "LIMITS__MAX_CONNECTIONS": str(int(connections * HEADROOM) + 100),
            "LOG__LEVEL": "warning",
        }
        clean = {name: v for name, v in os.environ.items() if not name.startswith("HIVEWIRE_")}
        command = [sys.executable, "-m", "hivewire", "serve", "--data", str(self._work / "data")]
        self._process = subprocess.Popen(
            [*command, "--edge", "127.0.0.1:0", "--api", "127.0.0.1:0"],
            env=clean | {f"HIVEWIRE_{name}": value for name, value in settings.items()},
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - gevent: greenlets, one thread
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        edge, api = self._ready()
        self.url = f"ws://{edge}/v1/ws"
        self.api = f"http://{api}"

    def _ready(self) -> tuple[str, str]:
        """Wait for `ready edge=HOST:PORT api=HOST:PORT`."""
        stdout = self._process.stdout
        assert stdout is not None
        if select.select([stdout], [], [], READY_SECONDS)[0]:
            words = stdout.readline().decode().split()
            found = dict(word.split("=", 1) for word in words if "=" in word)
            if "edge" in found and "api" in found:
                return found["edge"], found["api"]
        self._process.kill()
        raise NodeFailed(f"the node did not start:\n{self.log()}")

    def log(self) -> str:
        """What the node wrote to standard error."""
        return (self._work / "node.log").read_text(errors="replace")

    def status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def files(self) -> int:
        """Descriptors of all its threads: a shard has a table of its own, the others share one."""
        count = 0
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            # A thread may end while we look.
            with contextlib.suppress(OSError):
                count += sum(1 for _ in (task / "fd").iterdir())
        return count

    def reload(self) -> None:
        """SIGHUP: new Python code, the same sockets; it goes on while this returns."""
        self._process.send_signal(signal.SIGHUP)

    def drain(self) -> tuple[int, float]:
        """SIGTERM; the exit status, and how many seconds it took. Killed, it is negative."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return self._process.returncode, time.monotonic() - began

    def clean(self) -> None:
        """End the process if it still runs, and remove its data."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
        shutil.rmtree(self._work, ignore_errors=True)
