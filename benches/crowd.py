"""A node with a crowd of connections on it, from its start to its end, and everything that is seen.

One stand: start the node, let all connect, let some of them write at a fixed rate while the others
rest and answer pings, ask the node to stop, wait until it has sent everybody away. A stand that
cannot come to its end stops by itself and says why: memory runs low, or nothing moves any more.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import memory_kinds
from figure import fresh
from processes import BenchError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from memory_kinds import Kinds
    from processes import Server, Tools

GIB: Final = 1 << 30
# What a connection with both ends on this machine takes at most, to see beforehand if it fits.
BYTES_A_PAIR: Final = 10_000
FILES_SPARE: Final = 50_000
SAMPLE_SECONDS: Final = 1.0
# Beyond its own limits the swarm gets so long, in case it hangs.
GRACE_SECONDS: Final = 60.0
STOP_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Plan:
    """What stands, for how long, and within which bounds. Times are seconds."""

    connections: int
    per_second: float = 1000.0
    heartbeat: float = 25.0
    warm: float = 10.0
    seconds: float = 60.0
    ramp_timeout: int = 900
    drain_within: int = 240
    spare_memory: int = GIB
    """The stand ends when the machine has fewer bytes left than this."""
    settings: tuple[tuple[str, str], ...] = ()
    """Further HIVEWIRE_ variables of the node, without the prefix."""

    def node_settings(self) -> dict[str, str]:
        """The node's environment."""
        return {
            # Shards are planned for this many, and SO_REUSEPORT spreads unevenly.
            "LIMITS__MAX_CONNECTIONS": str(self.connections + 1000),
            "HEARTBEAT__INTERVAL": f"{self.heartbeat:g}s",
            "DRAIN__TIME": f"{self.drain_within}s",
            "DRAIN__SPREAD": "5s",
            **dict(self.settings),
        }

    def swarm_words(self) -> list[str]:
        """The swarm's command line."""
        return [
            *("calm", "-n", str(self.connections), "--per-second", str(self.per_second)),
            *("--warm", str(self.warm), "--seconds", str(self.seconds)),
            *("--ramp-timeout", str(self.ramp_timeout), "--drain-within", str(self.drain_within)),
        ]


@dataclass
class Stand:
    """What was seen of a plan."""

    plan: Plan
    start_seconds: float = 0.0
    stop_seconds: float = 0.0
    exit_status: int | None = None
    shards: int = 0
    empty: Kinds | None = None
    """Memory when the node was ready and nobody there."""
    standing: Kinds | None = None
    """When all were there and had been pinged."""
    peak: int = 0
    """The most resident bytes of the node, its end included."""
    slabs: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Kernel objects that came with the connections: how many, and bytes of each."""
    figures: dict[str, float] = field(default_factory=dict[str, float])
    """The node's own, over the measured window: pings, CPU, the wheel's worst lag."""
    swarm: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the swarm printed."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        kinds = {"empty": self.empty, "standing": self.standing}
        shown = {name: None if one is None else one.to_dict() for name, one in kinds.items()}
        return asdict(self) | shown | {"per_connection": self.per_connection()}

    def per_connection(self) -> dict[str, float]:
        """Bytes that each connection has added, by kind; both ends where it says so."""
        if self.empty is None or self.standing is None:
            return {}
        before, after, count = self.empty, self.standing, self.plan.connections
        return {
            "node": (after.node - before.node) / count,
            "swarm": after.swarm / count,
            "kernel objects, both ends": (after.slabs - before.slabs) / count,
            "socket buffers, both ends": (after.tcp_buffers - before.tcp_buffers) / count,
            "page tables and stacks": (
                (after.page_tables + after.stacks - before.page_tables - before.stacks) / count
            ),
            "all that was taken from the machine": (before.available - after.available) / count,
        }


def check_room(plan: Plan) -> None:
    """Raise BenchError where the plan cannot come to its end on this machine."""
    needed = plan.connections * BYTES_A_PAIR + plan.spare_memory
    free = memory_kinds.available()
    if needed > free:
        words = f"{plan.connections} connections need about {needed / GIB:.1f} GiB"
        raise BenchError(f"{words}, {free / GIB:.1f} GiB are available")
    files, most = 2 * plan.connections + FILES_SPARE, int(_proc("sys/fs/file-max"))
    if files > most:
        raise BenchError(f"{files} open files are needed: sysctl -w fs.file-max={files}")
    watches = int(_proc("sys/fs/epoll/max_user_watches"))
    if 2 * plan.connections > watches:
        raise BenchError(f"epoll watches {watches} files at most: fs.epoll.max_user_watches")
    table = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if plan.connections > 127 * 0.85 * table:
        raise BenchError(f"127 shards of {table} open files do not hold {plan.connections}")


def check_memory(plan: Plan) -> None:
    """Raise BenchError when the machine has less left than it must keep."""
    left = memory_kinds.available()
    if left < plan.spare_memory:
        raise BenchError(f"memory runs low: {left / GIB:.2f} GiB are left")


def stand(tools: Tools, plan: Plan) -> Stand:
    """Carry a plan out. Raises BenchError where it cannot come to its end."""
    check_room(plan)
    seen = Stand(plan)
    began = time.monotonic()
    with tools.serve_node(fresh(tools.work / "data"), **plan.node_settings()) as server:
        seen.start_seconds = time.monotonic() - began
        seen.empty = memory_kinds.look(server.pid)
        before = memory_kinds.slabs()
        with tools.swarm_holding(server, *plan.swarm_words()) as swarm:
            for line in _lines(swarm, server, plan):
                if line.startswith("measuring"):
                    _measure(seen, server, swarm.pid, before)
                elif line.startswith("sending away"):
                    _end(seen, server)
                elif line.startswith("{"):
                    seen.swarm = json.loads(line)
    if not seen.swarm or not seen.figures:
        raise BenchError(f"the swarm ended early: {_last_words(tools)}")
    return seen


def _lines(swarm: subprocess.Popen[str], server: Server, plan: Plan) -> Iterator[str]:
    """What the swarm prints, while there is memory and time, and the node lives."""
    phases = plan.ramp_timeout + plan.warm + plan.seconds + plan.drain_within
    deadline = time.monotonic() + phases + GRACE_SECONDS
    stream = swarm.stdout
    while stream is not None:
        check_memory(plan)
        if time.monotonic() > deadline:
            raise BenchError("the time is over")
        if not select.select([stream], [], [], SAMPLE_SECONDS)[0]:
            if memory_kinds.resident(server.pid) == 0 and server.process is not None:
                status = server.process.poll()
                if status not in (None, 0):
                    raise BenchError(f"the node ended with status {status}")
            continue
        line = stream.readline()
        if not line:
            return
        yield line.strip()


def _measure(seen: Stand, server: Server, swarm: int, before: dict[str, tuple[int, int]]) -> None:
    """The measured window: memory at its beginning, the node's figures over it."""
    seen.standing = memory_kinds.look(server.pid, swarm)
    after = memory_kinds.slabs()
    none = (0, 0)
    grown = {name: (after[name][0] - before.get(name, none)[0], after[name][1]) for name in after}
    seen.slabs = {name: one for name, one in grown.items() if one[0] > seen.plan.connections // 2}
    first, cpu, began = server.metrics(), _cpu_seconds(server.pid), time.monotonic()
    lags: list[float] = []
    last = first
    rest = seen.plan.seconds
    while (left := began + rest - time.monotonic()) > 0:
        time.sleep(min(left, 5.0))
        check_memory(seen.plan)
        last = server.metrics()
        lags.append(last["hivewire_wheel_lag_seconds"])
    elapsed = time.monotonic() - began
    pings = last["hivewire_pings_sent_total"] - first["hivewire_pings_sent_total"]
    used = _cpu_seconds(server.pid) - cpu
    seen.shards = int(last["hivewire_shards"])
    seen.figures = {
        "seconds": elapsed,
        "node_cpu": used / elapsed,
        "pings_per_second": pings / elapsed,
        "wheel_lag_ms": max(lags, default=0.0) * 1000,
        "connections": last["hivewire_connections"],
        "heartbeat_lost": last["hivewire_heartbeat_lost_total"],
    }


def _end(seen: Stand, server: Server) -> None:
    """Ask the node to stop, and wait until it has."""
    process = server.process
    if process is None:
        return
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    while process.poll() is None and time.monotonic() < began + STOP_SECONDS:
        seen.peak = max(seen.peak, memory_kinds.peak(server.pid))
        time.sleep(0.05)
    seen.exit_status = process.poll()
    seen.stop_seconds = time.monotonic() - began


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _last_words(tools: Tools) -> str:
    lines = (tools.work / "swarm.log").read_text().splitlines()
    return lines[-1] if lines else "it said nothing"


def _proc(name: str) -> str:
    return Path("/proc", name).read_text()
