"""One measurement: a server, a work, and what is read from it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processes import BenchError

if TYPE_CHECKING:
    from peers.peer import Peer
    from peers.works import Work
    from processes import Server, Tools

REST_SECONDS: Final = 1.5


def measure(tools: Tools, peer: Peer, work: Work) -> dict[str, Any]:
    """One server, one work, once. Raises BenchError."""
    if peer.most is not None:
        work = replace(work, connections=min(work.connections, peer.most))
    with peer.serve(tools, work) as server:
        peer.prepare(tools, server, work)
        if work.kind == "idle":
            return _idle(tools, peer, work, server)
        result = peer.load(tools, server, work).run(tools)
    if work.kind == "connect":
        return {"value": result["ramp"]["server_cpu_us_per_connection"]}
    load = result["load"]
    if not load["operations"]:
        raise BenchError("nothing was done within the window")
    return {
        "value": load["server_cpu_us_per_operation"],
        "rate": load["operations_per_second"],
        "server_busy": load["server_busy"],
        "client_busy": load["client_busy"],
    }


def _idle(tools: Tools, peer: Peer, work: Work, server: Server) -> dict[str, Any]:
    """The slope between a fifth of the crowd and all of it: what one more connection takes."""
    few = work.connections // 5
    samples = list[dict[str, int]]()
    for count in (few, work.connections):
        crowd = replace(work, connections=count)
        with peer.load(tools, server, crowd).holding(tools, count):
            time.sleep(REST_SECONDS)
            samples.append(memory(server.pid))
    low, high = samples
    more = work.connections - few
    return {
        "value": (high["Rss"] - low["Rss"]) / more,
        "pss": (high["Pss"] - low["Pss"]) / more,
        "rss_all": high["Rss"],
    }


def memory(pid: int) -> dict[str, int]:
    """Resident bytes (Rss), and those shared with others counted in part (Pss)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.findall(r"^(Rss|Pss):\s+(\d+) kB", rollup, re.MULTILINE)
    return {name: int(size) * 1024 for name, size in found}
