"""Peers that are bare WebSocket servers: the Rust swarm drives them all alike."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from peers.peer import CACHE, Load, Peer, free_port, python_packages, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from peers.works import Work
    from processes import Server, Tools

WORKS: Final = frozenset({"idle", "connect", "echo", "fanout"})


def swarm(tools: Tools, server: Server, work: Work) -> Load:
    """The swarm, without tokens and objects."""
    where = ["--server", server.edge, "--server-pid", str(server.pid), "--path", "/"]
    words = [str(tools.swarm), work.scenario, "--raw", *work.words(), *where]
    return Load(words)


def mode(work: Work) -> str:
    """What a server of ours is told to do."""
    return "fanout" if work.kind == "fanout" else "echo"


def python_server(name: str, script: Path) -> Peer:
    """A server of a few lines on a Python library, in the cache's environment."""

    @contextmanager
    def serve(tools: Tools, work: Work) -> Iterator[Server]:
        port = free_port()
        python = CACHE / "python" / "bin" / "python"
        words = [str(python), str(script), mode(work), str(port)]
        with serving(tools, words, port) as server:
            yield server

    return Peer(name, "", WORKS, python_packages, serve, swarm)


def program(name: str, path: Path, install: Callable[[], None]) -> Peer:
    """A server of ours that is compiled."""

    @contextmanager
    def serve(tools: Tools, work: Work) -> Iterator[Server]:
        port = free_port()
        with serving(tools, [str(path), mode(work), str(port)], port, {"GOMAXPROCS": "1"}) as one:
            yield one

    return Peer(name, "", WORKS, install, serve, swarm)
