"""What is measured of groups, channels, presence, and of users who were away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fanout_figures import FANOUT_SUBSCRIBERS, fanout_floor
from figure import ONE_SHARD, Figure, Sample, Timing, cpu, fresh
from processes import BenchError

if TYPE_CHECKING:
    from processes import Server, Tools

# As many connections as the floor has, so that the kernel's tables and caches are as full.
GROUPED: Final = FANOUT_SUBSCRIBERS
GROUP_SIZE: Final = 100
READERS: Final = 10_000
AWAY_LONG, MISSED_LONG = 500, 1_000
AWAY, MISSED = 50_000, 20
FLAPPING: Final = 10_000

COMEBACK_SETTINGS: Final = {"LIMITS__MAX_CONNECTIONS": "60000"}
# Devices are away for a second: well within the linger. It is short so that the end, when they have
# left for good and everybody must hear of it, does not take long.
FLAP_SETTINGS: Final = {**ONE_SHARD, "PRESENCE__LINGER": "5s"}

# The loads as the swarm takes them, without their times.
GROUP_LOAD: Final = (
    *("group", "-n", str(GROUPED), "--size", str(GROUP_SIZE)),
    *("-w", "1", "--bytes", "100", "--ack-every", "16"),
)
CHANNEL_LOAD: Final = ("channel", "-n", str(READERS), "-w", "1", "--bytes", "100")
SYNC_LOAD: Final = ("sync", "-n", str(AWAY_LONG), "--missed", str(MISSED_LONG), "--limit", "500")
COMEBACK_LOAD: Final = ("comeback", "-n", str(AWAY), "--missed", str(MISSED))
FLAP_LOAD: Final = (
    *("flap", "-n", str(FLAPPING), "--watched-by", "100", "--away", "1", "--told-within", "180"),
)


def _run(tools: Tools, server: Server, *words: str) -> dict[str, Any]:
    """A load in which nothing went wrong; a figure with faults would be none."""
    result = tools.run_swarm(server, *words)
    if result["faults"]:
        raise BenchError(f"{words[0]}: {result['faults']}")
    return result


def group_node(tools: Tools, timing: Timing) -> Sample:
    """Stored once, in a hundred timelines, delivered, acknowledged; the authors hear of it."""
    with tools.serve_node(fresh(tools.work / "data"), **ONE_SHARD) as server:
        before = server.metrics()
        result = _run(tools, server, *GROUP_LOAD, *timing.words())
        after = server.metrics()
    messages = result["counts"]["messages"]
    names = {"syncs": "hivewire_commits_total", "puts": "hivewire_puts_total"}
    result["per_message"] = {
        short: (after[name] - before[name]) / messages for short, name in names.items()
    }
    return cpu(result)


def channel_node(tools: Tools, timing: Timing) -> Sample:
    """Stored once, published to the subscription table with one call."""
    with tools.serve_node(fresh(tools.work / "data"), **ONE_SHARD) as server:
        return cpu(_run(tools, server, *CHANNEL_LOAD, *timing.words()))


def sync_node(tools: Tools, _timing: Timing) -> Sample:
    """All users page at the same time, one page after the other, each once."""
    with tools.serve_node(fresh(tools.work / "data"), **ONE_SHARD) as server:
        return cpu(_run(tools, server, *SYNC_LOAD))


def comeback_node(tools: Tools, _timing: Timing) -> Sample:
    """Handshake, token, `connected` with the page of what was missed; all begin at once."""
    with tools.serve_node(fresh(tools.work / "data"), **COMEBACK_SETTINGS) as server:
        result = _run(tools, server, *COMEBACK_LOAD)
    return Sample(result["ramp"]["server_cpu_us_per_connection"], result)


def flap_node(tools: Tools, timing: Timing) -> Sample:
    """Every device is lost once in four seconds and back after one."""
    seconds = str(max(4 * timing.warm, timing.seconds))
    with tools.serve_node(fresh(tools.work / "data"), **FLAP_SETTINGS) as server:
        result = tools.run_swarm(server, *FLAP_LOAD, "--warm", seconds, "--seconds", seconds)
    wrong = {name: count for name, count in result["faults"].items() if "flapping" not in name}
    if wrong:
        raise BenchError(f"flap: {wrong}")
    return Sample(result["counts"]["pushes_while_flapping"], result)


CHAT_FIGURES: Final = (
    Figure(
        "group",
        "message to a group of 100 online members (100 groups, one in flight each), acks of every "
        "16th event and receipts included, CPU per delivery; floor: fan-out to 10,000",
        "µs",
        fanout_floor,
        group_node,
        bound=2.2,
        goal=1.8,
    ),
    Figure(
        "channel",
        "message to a channel with 10,000 readers, one in flight, CPU per delivery; floor: fan-out "
        "to 10,000",
        "µs",
        fanout_floor,
        channel_node,
        bound=1.3,
        goal=1.15,
    ),
    Figure(
        "sync",
        "500 users page through 1,000 missed events each, CPU per event",
        "µs",
        None,
        sync_node,
        rounds=3,
    ),
    Figure(
        "comeback",
        "50,000 users come back at once with 20 missed events each, until live, CPU per user",
        "µs",
        None,
        comeback_node,
        rounds=1,
    ),
    Figure(
        "flap",
        "10,000 flapping devices watched by 100 each, presence pushed while they flap",
        "pushes",
        None,
        flap_node,
        bound=0,
        goal=0,
        absolute=True,
        rounds=1,
    ),
)
