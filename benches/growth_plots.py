"""Plots of what a node costs as it grows; see growth.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "hivewire"

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of how to draw
from matplotlib.ticker import EngFormatter  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INCHES: Final = (7.2, 4.2)
Done = dict[str, dict[str, dict[str, Any]]]
Lines = dict[str, "Callable[[dict[str, Any]], float]"]

MEMORY: Final[Lines] = {
    "node": lambda one: one["per_connection"]["node"],
    "kernel objects, both ends": lambda one: one["per_connection"]["kernel objects, both ends"],
    "load client": lambda one: one["per_connection"]["swarm"],
}
CONNECT: Final[Lines] = {
    "CPU of the node, µs": lambda one: one["swarm"]["ramp"]["server_cpu_us_per_connection"],
}
REST: Final[Lines] = {
    "CPU of the node": lambda one: one["figures"]["node_cpu"],
    "CPU of the load client": lambda one: one["swarm"]["load"]["client_busy"],
}
DELIVERY: Final[Lines] = {
    "p50": lambda one: one["swarm"]["latency_us"]["delivery"]["p50"] / 1e3,
    "p99": lambda one: one["swarm"]["latency_us"]["delivery"]["p99"] / 1e3,
}
TURNOVER: Final[Lines] = {
    "start": lambda one: one["start_seconds"],
    "all connected": lambda one: one["swarm"]["ramp"]["seconds"],
    "stop, everybody sent away": lambda one: one["stop_seconds"],
}
PER_DELIVERY: Final[Lines] = {"CPU": lambda one: one["delivery_cpu_us"]}
PER_MESSAGE: Final[Lines] = {"CPU": lambda one: one["message_cpu_us"]}


def draw(done: Done, folder: Path) -> Iterator[Path]:
    """Draw what there is. Yields the files."""
    crowds, sizes = done["crowds"], "connections"
    members = {"groups": done["groups"], "channels": done["channels"]}
    if crowds:
        one = {"": crowds}
        yield plot(folder / "growth-memory.svg", one, MEMORY, (sizes, "bytes a connection"))
        yield plot(folder / "growth-connect.svg", one, CONNECT, (sizes, "a connect"))
        yield plot(folder / "growth-rest.svg", one, REST, (sizes, "cores, at rest"), log=True)
        yield plot(folder / "growth-delivery.svg", one, DELIVERY, (sizes, "delivery, ms"), log=True)
        yield plot(folder / "growth-turnover.svg", one, TURNOVER, (sizes, "seconds"), log=True)
    if any(members.values()):
        axes = ("members", "µs of CPU a delivery")
        yield plot(folder / "growth-group-delivery.svg", members, PER_DELIVERY, axes)
        axes = ("members", "µs of CPU a message")
        yield plot(folder / "growth-group-message.svg", members, PER_MESSAGE, axes, log=True)


def plot(
    path: Path, series: Done, lines: Lines, axes: tuple[str, str], *, log: bool = False
) -> Path:
    """One plot: each series with each of the lines."""
    figure, ax = plt.subplots(figsize=INCHES)
    for kind, by_size in series.items():
        sizes = sorted(by_size, key=int)
        for name, value in lines.items():
            label = " ".join(word for word in (kind, name) if word)
            ax.plot(list(map(int, sizes)), [value(by_size[at]) for at in sizes], "o-", label=label)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    if log:
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlabel(axes[0])
    ax.set_ylabel(axes[1])
    ax.grid(visible=True, which="both", alpha=0.25)
    ax.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path
