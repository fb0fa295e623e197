"""What every server is put to, and what is read from it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processes import BenchError

if TYPE_CHECKING:
    from peers.peer import Peer
    from processes import Server, Tools

BYTES: Final = 100
REST_SECONDS: Final = 1.5


@dataclass(frozen=True)
class Work:
    """A row of the report."""

    name: str
    title: str
    unit: str
    kind: str
    """idle, connect, echo, fanout or messages: what a peer says it can do."""
    connections: int
    in_flight: int = 1
    warm: float = 1.0
    seconds: float = 2.0

    @property
    def scenario(self) -> str:
        """What the load is told."""
        return self.kind

    @property
    def open_sends(self) -> int:
        """How many messages are unanswered at a time, all connections together."""
        return self.connections * self.in_flight

    def words(self) -> list[str]:
        """For the command line of the swarm and of our own load."""
        words = ["-n", str(self.connections)]
        if self.kind in ("idle", "connect"):
            return words
        words += ["-w", str(self.in_flight), "--bytes", str(BYTES)]
        return [*words, "--warm", str(self.warm), "--seconds", str(self.seconds)]


def works(crowd: int, seconds: float) -> list[Work]:
    """All of them, with `crowd` connections where there are many."""
    window = {"seconds": seconds}
    fan = f"fan-out to {crowd:,}"
    sends = ((2, 1), (8, 1), (64, 1), (1_000, 1), (1_000, 8))
    return [
        Work("idle", f"memory per idle connection, {crowd:,}", "bytes", "idle", crowd),
        Work("connect", f"connect, {crowd:,} in a row", "µs", "connect", crowd),
        Work("fanout", f"{fan}, one message at a time", "µs", "fanout", crowd, **window),
        Work("fanout8", f"{fan}, eight in flight", "µs", "fanout", crowd, 8, **window),
        Work("echo", "echo, 100 connections, one in flight each", "µs", "echo", 100, **window),
        Work("echo8", "echo, 100 connections, eight in flight", "µs", "echo", 100, 8, **window),
        *(
            Work(
                f"messages{count * flight}",
                f"one-to-one, {count * flight:,} open sends",
                "µs",
                "messages",
                count,
                flight,
                # A peer that answers thousands in one burst needs a window of several bursts.
                warm=4.0 if flight > 1 else 1.0,
                seconds=max(seconds, 6.0) if flight > 1 else seconds,
            )
            for count, flight in sends
        ),
    ]


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
