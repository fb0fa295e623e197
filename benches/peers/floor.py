"""The bare epoll programs of benches/floor: what the kernel alone charges for the same work."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from peers import websocket
from peers.peer import Load, Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.works import Work
    from processes import Server, Tools

MODES: Final = {"connect": "handshake", "messages": "relay"}


@contextmanager
def serve(tools: Tools, work: Work) -> Iterator[Server]:
    """The program that the work's figure belongs to."""
    options = list[str]()
    if work.kind == "fanout" and work.in_flight > 1:
        options = ["--coalesce"]
    log = tools.work / "relay.log"
    if work.kind == "messages":
        options = ["--file", str(log)]
    with tools.serve_floor(MODES.get(work.kind, work.kind), *options) as server:
        yield server
    log.unlink(missing_ok=True)


def load(tools: Tools, server: Server, work: Work) -> Load:
    """The swarm; the relay wants each connection's number."""
    found = websocket.swarm(tools, server, work)
    if work.kind == "messages":
        return Load(["/{}" if word == "/" else word for word in found.words])
    return found


PEER: Final = Peer(
    "floor",
    "append to a file, one `fdatasync` for all that wait",
    websocket.WORKS | {"messages"},
    lambda: None,
    serve,
    load,
)
