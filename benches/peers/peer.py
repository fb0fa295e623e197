"""What a peer is, and how one is started, worked on and stopped."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processes import BenchError, Server, Tools, await_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from peers.works import Work

BENCHES: Final = Path(__file__).resolve().parent.parent
CACHE: Final = BENCHES / "results" / "peers"
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
LOAD_SECONDS: Final = 40.0


class NotHad(Exception):
    """A peer cannot be had here; the text says why."""


@dataclass(frozen=True)
class Peer:
    """A server beside hivewire."""

    name: str
    keeps: str
    """What it has done with a message when it answers; empty where it keeps none."""
    works: frozenset[str]
    """What it is able to do, by `Work.kind`."""
    install: Callable[[], None]
    """Bring it into the cache, if it is not there. Raises NotHad."""
    serve: Callable[[Tools, Work], AbstractContextManager[Server]]
    load: Callable[[Tools, Server, Work], Load]
    """What drives it."""
    prepare: Callable[[Tools, Server, Work], None] = lambda _tools, _server, _work: None
    """Done before anything is measured: devices become known."""
    most: int | None = None
    """So many connections at most, where more would take minutes to come."""


@dataclass(frozen=True)
class Load:
    """A command that drives a server and prints one JSON object at its end."""

    words: list[str]
    settings: dict[str, str] = field(default_factory=dict[str, str])

    @contextmanager
    def holding(self, tools: Tools, count: int) -> Iterator[None]:
        """Its connections stand; they end with the block."""
        with self.started(tools) as process:
            await_line(process.stdout, f"holding {count}\n", LOAD_SECONDS)
            yield

    def run(self, tools: Tools) -> dict[str, Any]:
        """Run it to its end; what it printed."""
        with self.started(tools) as process:
            try:
                stdout, _ = process.communicate(timeout=LOAD_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise BenchError(f"the load did not end in {LOAD_SECONDS:.0f} s") from error
        if process.returncode not in (0, 1) or not stdout:
            raise BenchError(f"the load ended with status {process.returncode}")
        result: dict[str, Any] = json.loads(stdout.splitlines()[-1])
        if result["faults"]:
            raise BenchError(f"faults: {result['faults']}")
        return result

    @contextmanager
    def started(self, tools: Tools) -> Iterator[subprocess.Popen[str]]:
        """The running process, on the client's core."""
        words = ["taskset", "-c", tools.client_cores, *self.words]
        with (tools.work / "load.log").open("ab") as log:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"PYTHONPATH": str(BENCHES)} | self.settings,
            )
        try:
            yield process
        finally:
            stop(process)


def python_load(tools: Tools, server: Server, work: Work, dialect: str) -> Load:
    """Our client for peers that do not speak bare WebSocket."""
    where = ["--server", server.edge, "--server-pid", str(server.pid)]
    words = [str(tools.python), "-m", "peers.load", dialect, work.scenario, *work.words(), *where]
    return Load(words)


def free_port() -> int:
    """A port of the loopback interface that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    tools: Tools, words: list[str], port: int, settings: dict[str, str] | None = None
) -> Iterator[Server]:
    """Start a server on the server's core, wait until it listens at `port`, stop it."""
    command = ["taskset", "-c", tools.server_cores, *words]
    with (tools.work / "peer.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=tools.work, env=os.environ | (settings or {})
        )
    try:
        _await_port(process, port, words[0])
        yield Server(process.pid, f"127.0.0.1:{port}")
    finally:
        stop(process)


def _await_port(process: subprocess.Popen[Any], port: int, name: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchError(f"{name} does not listen; its words are in peer.log")


def stop(process: subprocess.Popen[Any]) -> None:
    """Ask, wait, insist."""
    if process.stdin is not None:
        process.stdin.close()
        process.stdin = None
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# Installing: once, into the cache


def installed(words: list[str], cwd: Path | None = None, **settings: str) -> str:
    """Run an installer; what it printed. Raises NotHad with its last line."""
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHad(str(error)) from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise NotHad(f"{words[0]}: {lines[-1]}")
    return done.stdout


def python_packages() -> None:
    """A virtual environment with the pinned Python peers."""
    wanted = Path(__file__).with_name("requirements.txt")
    stamp = CACHE / "python" / "requirements.txt"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    installed([sys.executable, "-m", "venv", str(CACHE / "python")])
    pip = [str(CACHE / "python" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    installed([*pip, "-r", str(wanted)], PIP_CONSTRAINT="")
    shutil.copy(wanted, stamp)


def debian_packages(name: str, *packages: str) -> Path:
    """Packages and what they need that this machine lacks, unpacked, not installed."""
    root = CACHE / name
    if root.exists():
        return root
    if shutil.which("apt-get") is None:
        raise NotHad("only where there is apt-get")
    plan = installed(["apt-get", "install", "-s", "--no-install-recommends", *packages])
    needed = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    # What is installed already is not in the plan, but its files are wanted here all the same.
    archive = fresh(CACHE / f"{name}-archives")
    installed(["apt-get", "download", *dict.fromkeys([*packages, *needed])], cwd=archive)
    unpacked = fresh(CACHE / f"{name}-unpacking")
    for package in archive.glob("*.deb"):
        installed(["dpkg", "-x", str(package), str(unpacked)])
    unpacked.rename(root)
    shutil.rmtree(archive)
    return root
