"""Start servers on core 0 and the swarm on core 1, and read what they say."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SERVER_CORE: Final = "0"
CLIENT_CORE: Final = "1"
BOTH_CORES: Final = "0,1"
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
SWARM_SECONDS: Final = 600.0
SECRET: Final = "a secret of the benchmarks, 32 bytes and more"


class BenchError(Exception):
    """A process did not do what a figure needs."""


@dataclass(frozen=True)
class Server:
    """A running server: its process id and the addresses of its `ready` line."""

    pid: int
    edge: str
    api: str | None = None
    process: subprocess.Popen[str] | None = None
    """For who ends it before its time."""

    def rss_bytes(self) -> int:
        """Resident memory now, of all kinds of pages."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Rss:\s+(\d+) kB", rollup, re.MULTILINE)
        if found is None:
            raise BenchError("smaps_rollup has no Rss")
        return int(found[1]) * 1024

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics by name with labels; empty when the server has none."""
        if self.api is None:
            return {}
        with urllib.request.urlopen(f"http://{self.api}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if line and line[0] != "#")
        return {name: float(value) for name, _, value in samples}


@dataclass
class Tools:
    """Where the programs are, and a directory for what they write."""

    floor: Path
    swarm: Path
    hivewire: Path
    python: Path
    work: Path
    server_cores: str = SERVER_CORE
    client_cores: str = CLIENT_CORE
    commands: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def find(cls, work: Path, *, floor: bool = True) -> Self:
        """The programs, built where cargo puts them, and `work` as a clean scratch directory."""
        command = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
        here = Path(__file__).parent
        metadata = subprocess.run(command, cwd=here, check=True, capture_output=True, text=True)
        release = Path(json.loads(metadata.stdout)["target_directory"]) / "release"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        found = cls(
            floor=release / "hivewire-floor",
            swarm=release / "hivewire-swarm",
            hivewire=Path(sys.executable).parent / "hivewire",
            python=Path(sys.executable),
            work=work,
        )
        for path in (found.floor, found.swarm) if floor else (found.swarm,):
            if not path.exists():
                raise BenchError(f"{path} is missing: cargo build --release -p {path.name}")
        return found

    @contextmanager
    def serve_floor(self, mode: str, *options: str) -> Iterator[Server]:
        """A floor program on a free port."""
        command = [self.floor, mode, "--listen", "127.0.0.1:0", *options]
        with self._serve(command) as server:
            yield server

    @contextmanager
    def serve_echo(self) -> Iterator[Server]:
        """The bare engine as an echo server."""
        with self._serve([self.hivewire, "echo", "--edge", "127.0.0.1:0"]) as server:
            yield server

    @contextmanager
    def serve_fanout(self, shards: int = 1) -> Iterator[Server]:
        """The engine and the gateway with one topic that everybody is subscribed to."""
        script = Path(__file__).with_name("fanout_node.py")
        words = [self.python, script, "--edge", "127.0.0.1:0", "--shards", str(shards)]
        with self._serve(words) as server:
            yield server

    @contextmanager
    def serve_node(self, data: Path, **settings: str) -> Iterator[Server]:
        """A whole node without rate limits; `settings` are HIVEWIRE_ variables without prefix."""
        command = [self.hivewire, "serve", "--data", data, "--edge", "127.0.0.1:0"]
        environment = {
            "AUTH__SECRET": SECRET,
            "LIMITS__SENDS_PER_SECOND": "0",
            "LIMITS__SENDS_PER_SECOND_USER": "0",
            "ADMISSION__CONNECTS_PER_SECOND": "0",
            **settings,
        }
        with self._serve([*command, "--api", "127.0.0.1:0"], environment) as server:
            yield server

    @contextmanager
    def _serve(
        self, command: Sequence[str | Path], settings: dict[str, str] | None = None
    ) -> Iterator[Server]:
        words = ["taskset", "-c", self.server_cores, *map(str, command)]
        extra = {f"HIVEWIRE_{name}": value for name, value in (settings or {}).items()}
        self._note(words, extra)
        with (self.work / "server.log").open("ab") as log:
            process = subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.work,
                env=os.environ | extra,
            )
        try:
            edge, api = _await_ready(process, words)
            yield Server(process.pid, edge, api, process)
        finally:
            _stop(process)

    def run_swarm(self, server: Server, *words: str) -> dict[str, Any]:
        """Run a scenario to its end; the object that the swarm printed."""
        with self.swarm_holding(server, *words) as process:
            stdout, _ = process.communicate(timeout=SWARM_SECONDS)
        if process.returncode not in (0, 1) or not stdout:
            raise BenchError(f"swarm {' '.join(words)}: exit status {process.returncode}")
        result: dict[str, Any] = json.loads(stdout.splitlines()[-1])
        if result["faults"]:
            print(f"    faults: {result['faults']}", flush=True)
        return result

    @contextmanager
    def swarm_holding(
        self, server: Server, *words: str, nice: int = 0
    ) -> Iterator[subprocess.Popen[str]]:
        """A running swarm; `idle` ends when its standard input is closed.

        With `nice` another swarm on the same core goes first: what it measures is the server's.
        """
        target = ["--server", server.edge, "--server-pid", str(server.pid)]
        command = ["nice", "-n", str(nice)] if nice else []
        command += ["taskset", "-c", self.client_cores, str(self.swarm), *words]
        self._note(command, {})
        with (self.work / "swarm.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, *target],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"HIVEWIRE_AUTH__SECRET": SECRET},
            )
        try:
            yield process
        finally:
            _stop(process)

    def _note(self, words: Sequence[str], extra: dict[str, str]) -> None:
        """Remember a command as somebody would type it."""
        settings = [f"{name}='{value}'" for name, value in sorted(extra.items())]
        typed = " ".join([*settings, *words]).replace(str(self.work), "DIR")
        for path in (self.floor, self.swarm, self.hivewire, self.python):
            typed = typed.replace(str(path), path.name)
        typed = typed.replace(f"{Path(__file__).parent}/", "benches/")
        self.commands.setdefault(typed, typed)


def await_line(stream: IO[str] | None, start: str, seconds: float) -> str:
    """The next line that begins with `start`."""
    deadline = time.monotonic() + seconds
    while stream is not None and (left := deadline - time.monotonic()) > 0:
        if not select.select([stream], [], [], left)[0]:
            break
        line = stream.readline()
        if line.startswith(start):
            return line.strip()
        if not line:
            break
    raise BenchError(f"no line `{start}…` within {seconds:.0f} s")


def _await_ready(process: subprocess.Popen[str], words: Sequence[str]) -> tuple[str, str | None]:
    """The addresses of `ready HOST:PORT` or `ready edge=HOST:PORT api=HOST:PORT`."""
    try:
        line = await_line(process.stdout, "ready", READY_SECONDS)
    except BenchError as error:
        raise BenchError(f"{' '.join(words)}: {error}") from error
    found = dict(word.split("=", 1) for word in line.split() if "=" in word)
    return found.get("edge", line.split()[1]), found.get("api")


def _stop(process: subprocess.Popen[str]) -> None:
    """Ask, wait, insist."""
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
