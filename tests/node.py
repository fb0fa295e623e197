"""A node as its operator sees it: a process that is started, drained, killed and started again.

`Node(data).start()` runs `python -m hivewire serve` with the interpreter that runs the tests, waits
for the `ready edge=… api=…` line, and keeps what the process writes to standard error beside its
data directory.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECRET = "a-secret-for-tests-0123456789-0123456789"
API_KEY = "the-key-of-the-backend-for-tests"
READY = re.compile(rb"^ready edge=(?P<edge>\S+) api=(?P<api>\S+)$", re.MULTILINE)
START_SECONDS = 20.0
STOP_SECONDS = 20.0
QUIET_ENV = {
    "HIVEWIRE_AUTH__SECRET": SECRET,
    "HIVEWIRE_API__KEY": API_KEY,
    "HIVEWIRE_LIMITS__SENDS_PER_SECOND": "0",
    "HIVEWIRE_LIMITS__SENDS_PER_SECOND_USER": "0",
}
"""What every node of the tests runs with, unless a test says otherwise: no rate limits,
and a key for the backend."""


NODES: list[Node] = []
"""Every node that was ever spawned in this session, so that none outlives a test that failed."""


class NodeFailed(AssertionError):
    """The process ended, or stayed silent, when it should have been ready."""


class Node:
    """One `hivewire serve` process on one data directory; `restart()` keeps the directory."""

    def __init__(
        self,
        data: Path,
        *,
        env: Mapping[str, str | None] | None = None,
        flags: Sequence[str] = (),
        launcher: Sequence[str] = ("-m", "hivewire"),
    ) -> None:
        self.data = data
        self.env = dict(env or {})
        self.flags = list(flags)
        self.launcher = list(launcher)
        NODES.append(self)
        self.log = data.with_name(data.name + ".stderr")
        self.edge: tuple[str, int] = ("", 0)
        self.api: tuple[str, int] = ("", 0)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, extra_env: Mapping[str, str] | None = None) -> Self:
        """Start and wait for `ready`; NodeFailed carries what the node said if it does not come."""
        self.spawn(extra_env=extra_env)
        self.wait_ready()
        return self

    def spawn(self, *, extra_env: Mapping[str, str] | None = None) -> None:
        """Start the process without waiting."""
        assert self._process is None or self._process.poll() is not None, "still running"
        env = {
            name: value for name, value in os.environ.items() if not name.startswith("HIVEWIRE_")
        }
        settings = QUIET_ENV | self.env | dict(extra_env or {})
        env |= {name: value for name, value in settings.items() if value is not None}
        command = [sys.executable, *self.launcher, "serve", "--data", str(self.data)]
        command += ["--edge", "127.0.0.1:0", "--api", "127.0.0.1:0", *self.flags]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )

    def wait_ready(self) -> None:
        """Read standard output until the ready line; its addresses become `edge` and `api`."""
        stdout = self.process.stdout
        assert stdout is not None
        seen = b""
        deadline = time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while (match := READY.search(seen)) is None:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.kill9()
                    raise NodeFailed(f"not ready in {START_SECONDS} s\n{self.stderr()}")
                chunk = os.read(stdout.fileno(), 4096)
                if not chunk:
                    status = self.wait()
                    raise NodeFailed(f"exit {status} before ready\n{self.stderr()}")
                seen += chunk
        self.edge = _address(match["edge"])
        self.api = _address(match["api"])

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "never started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the end of the process; its exit status (negative: the signal)."""
        status = self.process.wait(seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def kill9(self) -> None:
        """SIGKILL, as `kill -9` and the OOM killer do it; nothing of the node runs after this."""
        if self.running():
            self.process.kill()
        self.wait()

    def terminate(self) -> None:
        """SIGTERM, without waiting: the drain begins."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM and wait; a drained node exits with 0."""
        self.terminate()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill9()
            raise NodeFailed(f"SIGTERM ignored for {STOP_SECONDS} s\n{self.stderr()}") from None
        assert status == 0, f"exit {status} after SIGTERM\n{self.stderr()}"

    def restart(self, *, extra_env: Mapping[str, str] | None = None) -> Self:
        """Start again on the same data directory, after a kill or a stop."""
        return self.start(extra_env=extra_env)

    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """Open descriptors, summed over the threads: some have tables of their own."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(len(list((task / "fd").iterdir())) for task in tasks)

    def stderr(self) -> str:
        """What the node has logged so far, over all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def assert_calm(self) -> None:
        """I9: whatever a peer did, no traceback and no panic was logged."""
        text = self.stderr()
        for scar in ("Traceback (most recent call last)", "panicked at", "never awaited"):
            assert scar not in text, f"{scar!r} in the node's log:\n{text[-4000:]}"


def _address(text: bytes) -> tuple[str, int]:
    host, _, port = text.decode().rpartition(":")
    return host, int(port)
