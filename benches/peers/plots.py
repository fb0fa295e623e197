"""Bars of CPU or memory a server, and rates by open sends."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "hivewire"

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of how to draw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

    from peers.works import Work

# By work and server, a sample a round.
Results: TypeAlias = dict[str, dict[str, list[dict[str, Any]]]]
INCHES: Final = (8.0, 4.4)
OWN, OTHER = "#d55e00", "#7f9db9"


def draw(folder: Path, works: list[Work], results: Results) -> list[Path]:
    """Draw what was measured; the files."""
    return list(_draw(folder, works, results))


def _draw(folder: Path, works: list[Work], results: Results) -> Iterator[Path]:
    for work in works:
        if work.kind != "messages" and results[work.name]:
            yield _bars(folder / f"peers-{work.name}.svg", work, results[work.name])
    messages = [work for work in works if work.kind == "messages"]
    if any(results[work.name] for work in messages):
        for key, label in (("rate", "messages/s"), ("value", "µs of CPU a message")):
            name = "rate" if key == "rate" else "cpu"
            yield _lines(folder / f"peers-messages-{name}.svg", messages, results, (key, label))


def _bars(path: Path, work: Work, of: dict[str, list[dict[str, Any]]]) -> Path:
    figure, ax = plt.subplots(figsize=INCHES)
    values = {name: median(sample["value"] for sample in samples) for name, samples in of.items()}
    names = sorted(values, key=lambda name: values[name], reverse=True)
    colours = [OWN if name.startswith("hivewire") else OTHER for name in names]
    bars = ax.barh(names, [max(values[name], 1e-3) for name in names], color=colours)
    ax.bar_label(bars, labels=[f"{values[name]:,.3g}" for name in names], padding=3)
    ax.set_xscale("log")
    ax.margins(x=0.15)
    ax.set_xlabel(work.unit if work.kind == "idle" else f"{work.unit} of CPU (log)")
    ax.set_title(work.title)
    return _saved(figure, path)


def _lines(path: Path, works: list[Work], results: Results, what: tuple[str, str]) -> Path:
    key, label = what
    figure, ax = plt.subplots(figsize=INCHES)
    names = dict.fromkeys(name for work in works for name in results[work.name])
    for name in names:
        measured = [work for work in works if name in results[work.name]]
        values = [median(s[key] for s in results[work.name][name]) for work in measured]
        width = 2.5 if name.startswith("hivewire") else 1.2
        ax.plot([work.open_sends for work in measured], values, "o-", label=name, linewidth=width)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("open sends")
    ax.set_ylabel(label)
    ax.grid(visible=True, which="both", alpha=0.25)
    ax.legend(frameon=False)
    return _saved(figure, path)


def _saved(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path
