"""What is measured of the engine's fan-out, and the floor that groups and channels stand beside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from figure import Figure, Sample, Timing, cpu, rate
from processes import BOTH_CORES

if TYPE_CHECKING:
    from processes import Server, Tools

FANOUT_SUBSCRIBERS: Final = 10_000


def _fanout(tools: Tools, server: Server, timing: Timing, in_flight: int) -> dict[str, Any]:
    words = ["fanout", "-n", str(FANOUT_SUBSCRIBERS), "-w", str(in_flight), *timing.words()]
    return tools.run_swarm(server, *words)


def fanout_floor(tools: Tools, timing: Timing) -> Sample:
    """One send a socket and publish."""
    with tools.serve_floor("fanout") as server:
        return cpu(_fanout(tools, server, timing, 1))


def fanout_node(tools: Tools, timing: Timing) -> Sample:
    """The engine's subscription table, one publish at a time."""
    with tools.serve_fanout() as server:
        return cpu(_fanout(tools, server, timing, 1))


def fanout8_floor(tools: Tools, timing: Timing) -> Sample:
    """Eight frames in one send."""
    with tools.serve_floor("fanout", "--coalesce") as server:
        return rate(_fanout(tools, server, timing, 8))


def fanout8_node(tools: Tools, timing: Timing) -> Sample:
    """The same, eight publishes in flight."""
    with tools.serve_fanout() as server:
        return rate(_fanout(tools, server, timing, 8))


def _fanout_shards(tools: Tools, timing: Timing, shards: int) -> Sample:
    # Both sides may use both cores, so that the second shard has one to run on.
    wide = replace(tools, server_cores=BOTH_CORES)
    with wide.serve_fanout(shards) as server:
        return cpu(_fanout(wide, server, timing, 1))


def fanout_one_shard(tools: Tools, timing: Timing) -> Sample:
    """One shard has all subscribers."""
    return _fanout_shards(tools, timing, 1)


def fanout_two_shards(tools: Tools, timing: Timing) -> Sample:
    """Two shards have half of them each, and send side by side."""
    return _fanout_shards(tools, timing, 2)


FANOUT_FIGURES: Final = (
    Figure(
        "fanout",
        "fan-out to 10,000, one publish at a time, CPU per delivery",
        "µs",
        fanout_floor,
        fanout_node,
        bound=1.15,
        goal=1.05,
    ),
    Figure(
        "fanout8",
        "fan-out to 10,000, eight publishes in flight, deliveries/s (floor: eight in one send)",
        "/s",
        fanout8_floor,
        fanout8_node,
        bound=0.8,
        goal=0.9,
        more_is_better=True,
    ),
    Figure(
        "fanout-shards",
        "one publish at a time, two shards on both cores, CPU per delivery; floor: one shard",
        "µs",
        fanout_one_shard,
        fanout_two_shards,
        goal=1.1,
    ),
)
