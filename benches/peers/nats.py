"""NATS (Go): core, which keeps nothing, and JetStream, which syncs before each answer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from peers.peer import CACHE, Peer, free_port, fresh, python_load, python_packages, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.works import Work
    from processes import Server, Tools

CONFIGURATION: Final = """\
listen: 127.0.0.1:{port}
max_connections: 65536
"""
JETSTREAM: Final = """\
jetstream {{ store_dir: "{folder}/store", sync_interval: always }}
"""


@contextmanager
def _serve(tools: Tools, text: str) -> Iterator[Server]:
    port, folder = free_port(), fresh(tools.work / "nats")
    configuration = folder / "nats.conf"
    configuration.write_text(text.format(port=port, folder=folder))
    words = [str(CACHE / "python" / "bin" / "nats-server"), "-c", str(configuration)]
    with serving(tools, words, port, {"GOMAXPROCS": "1"}) as server:
        yield server


@contextmanager
def serve_core(tools: Tools, _work: Work) -> Iterator[Server]:
    """Without storage."""
    with _serve(tools, CONFIGURATION) as server:
        yield server


@contextmanager
def serve_jetstream(tools: Tools, _work: Work) -> Iterator[Server]:
    """With a file store that is synced at each message."""
    with _serve(tools, CONFIGURATION + JETSTREAM) as server:
        yield server


CORE: Final = Peer(
    "NATS core",
    "",
    frozenset({"idle", "connect", "echo", "fanout"}),
    python_packages,
    serve_core,
    lambda tools, server, work: python_load(tools, server, work, "nats"),
)
JET_STREAM: Final = Peer(
    "NATS JetStream",
    "in a stream's file, `sync_interval: always`: one sync a message, before the answer; "
    "the partner has it before that (plain subscription, the cheapest way to read)",
    frozenset({"messages"}),
    python_packages,
    serve_jetstream,
    lambda tools, server, work: python_load(tools, server, work, "jetstream"),
)
