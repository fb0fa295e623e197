"""What is measured of connections and direct messages, and the list of all figures.

Most figures have two measurements of the same kind, one on a floor program and one on hivewire,
that give one number each; the run takes them in turn and compares their medians.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from chat_figures import CHAT_FIGURES
from fanout_figures import FANOUT_FIGURES
from figure import ONE_SHARD, Figure, Sample, Timing, cpu, fresh
from processes import BenchError, await_line

if TYPE_CHECKING:
    from processes import Server, Tools

CONNECTS: Final = 10_000
MESSAGE_CONNECTIONS: Final = 1_000
ECHO_CONNECTIONS: Final = 100
# As the swarm takes it, without what is in flight and its times.
MESSAGES_LOAD: Final = ("messages", "-n", str(MESSAGE_CONNECTIONS), "--bytes", "100")
IDLE_FEW, IDLE_MANY = 10_000, 50_000
# The shortest interval that is granted; the memory is read when every connection had its turn.
IDLE_SETTINGS: Final = {"HEARTBEAT__INTERVAL": "15s", "LIMITS__MAX_CONNECTIONS": "60000"}
HOLDING_SECONDS: Final = 300.0
ENDS_SECONDS: Final = 30.0


# Echo


def _echo(tools: Tools, server: Server, timing: Timing) -> Sample:
    words = ["echo", "-n", str(ECHO_CONNECTIONS), "--path", "/", *timing.words()]
    return cpu(tools.run_swarm(server, *words))


def echo_floor(tools: Tools, timing: Timing) -> Sample:
    """One recv and one send a message."""
    with tools.serve_floor("echo") as server:
        return _echo(tools, server, timing)


def echo_node(tools: Tools, timing: Timing) -> Sample:
    """The engine alone."""
    with tools.serve_echo() as server:
        return _echo(tools, server, timing)


# Connect


def _connect(tools: Tools, server: Server, *words: str) -> Sample:
    result = tools.run_swarm(server, "connect", "-n", str(CONNECTS), *words)
    return Sample(result["ramp"]["server_cpu_us_per_connection"], result)


def connect_floor(tools: Tools, _timing: Timing) -> Sample:
    """The bare handshake."""
    with tools.serve_floor("handshake") as server:
        return _connect(tools, server, "--raw")


def connect_new_node(tools: Tools, _timing: Timing) -> Sample:
    """Handshake, token and `connected`; the node has never seen the devices and stores them."""
    with tools.serve_node(fresh(tools.work / "data"), **ONE_SHARD) as server:
        return _connect(tools, server)


def connect_known_node(tools: Tools, _timing: Timing) -> Sample:
    """The same for devices that come back, once the ends of their last lines are done with."""
    with tools.serve_node(fresh(tools.work / "data"), **ONE_SHARD) as server:
        _connect(tools, server)
        _await_ends(server)
        return _connect(tools, server)


def _await_ends(server: Server) -> None:
    """Lines that end are let go a few each millisecond: some 5 µs each, of no connect."""
    until = time.monotonic() + ENDS_SECONDS
    while server.metrics()["hivewire_connections"]:
        if time.monotonic() > until:
            raise BenchError("lines of clients that are gone are still there")
        time.sleep(0.1)


# Messages


def _messages_floor(tools: Tools, timing: Timing, in_flight: int) -> Sample:
    log = tools.work / "relay.log"
    with tools.serve_floor("relay", "--file", str(log)) as server:
        words = ["--raw", "--path", "/{}", "-n", str(MESSAGE_CONNECTIONS), "-w", str(in_flight)]
        result = tools.run_swarm(server, "messages", *words, *timing.words())
    log.unlink(missing_ok=True)
    return cpu(result)


def _messages_node(tools: Tools, timing: Timing, in_flight: int) -> Sample:
    with tools.serve_node(fresh(tools.work / "data"), **ONE_SHARD) as server:
        # The devices become known first, so that what is counted below belongs to messages.
        tools.run_swarm(server, "connect", "-n", str(MESSAGE_CONNECTIONS))
        before = server.metrics()
        words = ["-w", str(in_flight), *timing.words()]
        result = tools.run_swarm(server, *MESSAGES_LOAD, *words)
        after = server.metrics()
    names = {"syncs": "hivewire_commits_total", "puts": "hivewire_puts_total"}
    stored = result["load"]["answered_in_all"]
    result["per_message"] = {
        short: (after[name] - before[name]) / stored for short, name in names.items()
    }
    return cpu(result)


def messages_floor(tools: Tools, timing: Timing) -> Sample:
    """Append, group fdatasync, answer, forward; one send in flight a connection."""
    return _messages_floor(tools, timing, 1)


def messages_node(tools: Tools, timing: Timing) -> Sample:
    """Stored, answered, delivered; one send in flight a connection."""
    return _messages_node(tools, timing, 1)


def messages8_floor(tools: Tools, timing: Timing) -> Sample:
    """The same with eight in flight."""
    return _messages_floor(tools, timing, 8)


def messages8_node(tools: Tools, timing: Timing) -> Sample:
    """The same with eight in flight."""
    return _messages_node(tools, timing, 8)


# Idle


def _slope(tools: Tools, server: Server, timing: Timing, *words: str) -> Sample:
    """Bytes of resident memory per connection, between few and many in one process."""
    empty = server.rss_bytes()
    few = ["idle", "-n", str(IDLE_FEW), *words]
    more = ["idle", "-n", str(IDLE_MANY - IDLE_FEW), "--first", str(IDLE_FEW), *words]
    with tools.swarm_holding(server, *few) as first:
        await_line(first.stdout, f"holding {IDLE_FEW}\n", HOLDING_SECONDS)
        time.sleep(timing.rest)
        low = server.rss_bytes()
        with tools.swarm_holding(server, *more) as second:
            await_line(second.stdout, f"holding {IDLE_MANY - IDLE_FEW}\n", HOLDING_SECONDS)
            time.sleep(timing.rest)
            high = server.rss_bytes()
            sessions = server.metrics().get("hivewire_sessions")
    if sessions not in (None, IDLE_MANY):
        raise BenchError(f"{sessions:.0f} sessions are left of {IDLE_MANY}")
    seen = {"rss_empty": empty, "rss_few": low, "rss_many": high}
    seen["from_empty"] = (high - empty) / IDLE_MANY
    return Sample((high - low) / (IDLE_MANY - IDLE_FEW), seen)


def idle_floor(tools: Tools, timing: Timing) -> Sample:
    """A byte per descriptor, and nobody behind it."""
    with tools.serve_floor("idle", "--threads", "4") as server:
        return _slope(tools, server, timing, "--raw")


def idle_node(tools: Tools, timing: Timing) -> Sample:
    """Authenticated, in the directory, heart-beating, known to the store from before."""
    data = tools.work / "idle"
    if not data.exists():
        with tools.serve_node(data, **IDLE_SETTINGS) as server:
            tools.run_swarm(server, "connect", "-n", str(IDLE_MANY))
    with tools.serve_node(data, **IDLE_SETTINGS) as server:
        return _slope(tools, server, timing)


FIGURES: Final = (
    Figure(
        "echo",
        "echo through the engine, 130 bytes, CPU per message",
        "µs",
        echo_floor,
        echo_node,
        bound=1.3,
        goal=1.15,
    ),
    *FANOUT_FIGURES,
    Figure(
        "connect",
        "connect with JWT until `connected`, devices known, CPU per connection",
        "µs",
        connect_floor,
        connect_known_node,
        bound=6,
        goal=3,
    ),
    Figure(
        "connect-new",
        "the same for devices never seen, which are stored first",
        "µs",
        connect_floor,
        connect_new_node,
        bound=6,
        goal=3,
    ),
    Figure(
        "messages",
        "durable direct messages, 1,000 connections, one in flight each, CPU per message",
        "µs",
        messages_floor,
        messages_node,
        bound=3,
        goal=2.5,
    ),
    Figure(
        "messages8",
        "the same with eight in flight",
        "µs",
        messages8_floor,
        messages8_node,
        bound=12,
        goal=8,
    ),
    Figure(
        "idle",
        "user memory per idle connection: (RSS at 50,000 - RSS at 10,000) / 40,000",
        "bytes",
        idle_floor,
        idle_node,
        bound=512,
        goal=300,
        absolute=True,
        rounds=3,
    ),
    *CHAT_FIGURES,
)
