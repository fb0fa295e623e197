"""The conformance run: every scenario with every SDK, one table of verdicts.

`python -m tests.sdk.run [WORD …]` plays the scenarios whose names hold one of the words; all of
them without a word. It exits with 1 when an SDK failed or two told different stories.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.rfc6455 import abort_all
from tests.node import Node
from tests.sdk.application import HERE, OWN_WEBSOCKET, install_packages, sdks
from tests.sdk.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_ONCE = 6
"""Stages that are played at the same time: most of a scenario is waiting."""
ENV = {"HIVEWIRE_DRAIN__SPREAD": "200ms"}


@dataclass
class Verdict:
    """How one SDK did in one scenario."""

    told: dict[str, Any]
    failure: str = ""


def scenarios(words: Sequence[str] = ()) -> list[dict[str, Any]]:
    """All scenarios of all files, or those whose name holds one of the words."""
    found: list[dict[str, Any]] = []
    for path in sorted((HERE / "scenarios").glob("*.yaml")):
        found += yaml.safe_load(path.read_text())
    return [one for one in found if not words or any(word in one["name"] for word in words)]


class Nodes:
    """Nodes that scenarios share: one for each set of settings. Who kills a node has its own.

    Args:
        place: the folder of their data.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._shared: dict[str, Node] = {}
        self._lock = asyncio.Lock()

    async def get(self, scenario: dict[str, Any], folder: Path) -> Node:
        """The node for a scenario that is played in this folder."""
        settings = scenario.get("node") or {}
        if settings == "own":
            return await asyncio.to_thread(Node(folder / "data", env=ENV).start)
        async with self._lock:
            name = str(sorted(settings.items()))
            if name not in self._shared:
                node = Node(self._place / f"data{len(self._shared)}", env=ENV | settings)
                self._shared[name] = await asyncio.to_thread(node.start)
            return self._shared[name]

    async def done(self, node: Node) -> None:
        """A scenario is over: a node of its own is stopped."""
        if node not in self._shared.values():
            await asyncio.to_thread(node.stop)
            node.assert_calm()

    async def stop(self) -> None:
        """Stop those that were shared, and every line that a scenario has left open."""
        await abort_all()
        for node in self._shared.values():
            await asyncio.to_thread(node.stop)
            node.assert_calm()


async def play(scenario: dict[str, Any], sdk: str, nodes: Nodes, folder: Path) -> Verdict:
    """Play a scenario with an SDK."""
    await asyncio.to_thread(folder.mkdir)
    node = await nodes.get(scenario, folder)
    stage = Stage(scenario, sdks()[sdk], node, folder, sees_status=sdk != OWN_WEBSOCKET)
    try:
        told = await stage.play()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the verdict
        return Verdict({}, "".join(traceback.format_exception(error)))
    finally:
        await nodes.done(stage.node)
    return Verdict(told)


async def play_all(
    chosen: Sequence[dict[str, Any]], names: Sequence[str]
) -> dict[str, dict[str, Verdict]]:
    """Verdicts by scenario and SDK."""
    install_packages()
    gate = asyncio.Semaphore(AT_ONCE)
    pairs = [(number, one, sdk) for number, one in enumerate(chosen) for sdk in names]
    with tempfile.TemporaryDirectory(prefix="hivewire-sdk-") as place:
        nodes = Nodes(Path(place))

        async def play_one(number: int, scenario: dict[str, Any], sdk: str) -> Verdict:
            async with gate:
                folder = Path(place) / f"{number}-{names.index(sdk)}"
                return await play(scenario, sdk, nodes, folder)

        try:
            verdicts = await asyncio.gather(*(play_one(*pair) for pair in pairs))
        finally:
            await nodes.stop()
    found: dict[str, dict[str, Verdict]] = {}
    for (_, scenario, sdk), verdict in zip(pairs, verdicts, strict=True):
        found.setdefault(scenario["name"], {})[sdk] = verdict
    return found


def differences(verdicts: dict[str, Verdict], *, ordered: bool) -> str:
    """What the SDKs told differently, empty if nothing.

    `ordered` is false where the scenario leaves open what comes first of Ann's and Ben's messages:
    then only what each of them has said is compared.
    """
    told = [
        verdict.told if ordered else verdict.told | {"story": _by_sender(verdict.told["story"])}
        for verdict in verdicts.values()
        if not verdict.failure
    ]
    return "" if all(one == told[0] for one in told) else f"they differ: {told}"


def _by_sender(story: list[str]) -> list[str]:
    return sorted(story, key=lambda line: line.partition(":")[0])


def table(verdicts: dict[str, dict[str, Verdict]]) -> str:
    """Give one line a scenario, one column an SDK."""
    names = list(next(iter(verdicts.values())))
    width = max(len(name) for name in verdicts)
    lines = ["  ".join([" " * width, *names])]
    for scenario, row in verdicts.items():
        marks = [("failed" if row[name].failure else "ok").ljust(len(name)) for name in names]
        lines.append("  ".join([scenario.ljust(width), *marks]))
    return "\n".join(lines)


def failures(
    chosen: Sequence[dict[str, Any]], verdicts: dict[str, dict[str, Verdict]]
) -> list[str]:
    """Everything that went wrong, in words."""
    found: list[str] = []
    for scenario in chosen:
        row = verdicts[scenario["name"]]
        found += [f"{scenario['name']}, {sdk}: {v.failure}" for sdk, v in row.items() if v.failure]
        ordered = "story" in scenario.get("expect", {})
        if difference := differences(row, ordered=ordered):
            found.append(f"{scenario['name']}: {difference}")
    return found


def main(words: Sequence[str]) -> int:
    """Play, print the table, say what failed."""
    chosen = scenarios(words)
    verdicts = asyncio.run(play_all(chosen, list(sdks())))
    print(table(verdicts))  # noqa: T201
    failed = failures(chosen, verdicts)
    for failure in failed:
        print(f"\n{failure}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
