"""The conformance script notices what it is there to notice."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from tests.sdk.application import install_packages, sdks
from tests.sdk.mutants import MUTANTS, Mutant
from tests.sdk.run import AT_ONCE, Nodes, scenarios
from tests.sdk.stage import Stage

PATIENCE = 4.0
"""What does not come within these seconds counts as missing. A machine that stands still makes a
bug look caught that is not, never the other way round."""


async def survives(mutant: Mutant, nodes: Nodes, folder: Path) -> bool:
    """Whether the scenario passes in spite of the bug."""
    await asyncio.to_thread(folder.mkdir)
    package = await asyncio.to_thread(mutant.plant, folder / "package")
    (scenario,) = [one for one in scenarios() if one["name"] == mutant.scenario]
    stage = Stage(scenario, sdks()[mutant.sdk], await nodes.get(scenario, folder), folder)
    stage.application.package = package
    stage.application.patience = PATIENCE
    try:
        await stage.play()
    except AssertionError:
        return False
    finally:
        await nodes.done(stage.node)
    return True


async def survivors(sdk: str) -> list[str]:
    planted = [mutant for mutant in MUTANTS if mutant.sdk == sdk]
    assert len(planted) >= 10
    gate = asyncio.Semaphore(AT_ONCE)
    with tempfile.TemporaryDirectory(prefix="hivewire-sdk-") as place:
        nodes = Nodes(Path(place))

        async def one(number: int, mutant: Mutant) -> bool:
            async with gate:
                return await survives(mutant, nodes, Path(place) / str(number))

        try:
            lived = await asyncio.gather(*(one(*pair) for pair in enumerate(planted)))
        finally:
            await nodes.stop()
    return [f"{m.sdk}: {m.bug}" for m, alive in zip(planted, lived, strict=True) if alive]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("sdk", ["js", pytest.param("python", marks=pytest.mark.long)])
def test_every_planted_bug_makes_its_scenario_fail(sdk: str) -> None:
    """The same bugs in both, so one of them will do for every run."""
    install_packages()
    assert asyncio.run(survivors(sdk)) == []
