"""What is measured of the engine's fan-out, and the floor that groups and channels stand beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from figure import Figure, Sample, Timing, cpu, rate

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
)
