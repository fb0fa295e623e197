"""hivewire: its engine as a bare WebSocket server, and the whole node with users and storage."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from figure import ONE_SHARD
from peers import websocket
from peers.peer import Load, Peer
from processes import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.works import Work
    from processes import Server, Tools
SCENARIOS: Final = {"fanout": "channel"}
SIGNED: Final = {"HIVEWIRE_AUTH__SECRET": SECRET}


@contextmanager
def serve_engine(tools: Tools, work: Work) -> Iterator[Server]:
    """The engine alone, as the bare peers are."""
    started = tools.serve_fanout() if work.kind == "fanout" else tools.serve_echo()
    with started as server:
        yield server


def load_engine(tools: Tools, server: Server, work: Work) -> Load:
    """The swarm; the engine without Python behind it listens at `/`, with it at `/v1/ws`."""
    found = websocket.swarm(tools, server, work)
    if work.kind == "fanout":
        return Load(["/v1/ws" if word == "/" else word for word in found.words])
    return found


@contextmanager
def serve_node(tools: Tools, _work: Work) -> Iterator[Server]:
    """A node that knows nobody yet."""
    data = tools.work / "data"
    shutil.rmtree(data, ignore_errors=True)
    with tools.serve_node(data, **ONE_SHARD) as server:
        yield server


def load_node(tools: Tools, server: Server, work: Work) -> Load:
    """Authenticated users; fan-out is a channel whose messages all readers get."""
    scenario = SCENARIOS.get(work.kind, work.kind)
    where = ["--server", server.edge, "--server-pid", str(server.pid)]
    return Load([str(tools.swarm), scenario, *work.words(), *where], SIGNED)


def introduce(tools: Tools, server: Server, work: Work) -> None:
    """Devices that come back, not devices that are stored first."""
    count = ["-n", str(work.connections)]
    where = ["--server", server.edge, "--server-pid", str(server.pid)]
    Load([str(tools.swarm), "connect", *count, *where], SIGNED).run(tools)


ENGINE: Final = Peer(
    "hivewire engine", "", websocket.WORKS, lambda: None, serve_engine, load_engine
)
NODE: Final = Peer(
    "hivewire node",
    "in both users' timelines, one `fdatasync` for all that wait, before the answer",
    frozenset({"idle", "connect", "fanout", "messages"}),
    lambda: None,
    serve_node,
    load_node,
    introduce,
)
