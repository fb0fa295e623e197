"""The chaos runs are tested by what they must catch:

a node with one planted bug, judged by name.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from tests.chaos.checker import check
from tests.chaos.faults import PowerCut
from tests.chaos.fleet import Fleet
from tests.chaos.mutants import MUTANTS
from tests.chaos.scale import seeded
from tests.node import Node

CAUGHT_AS = {
    "answer_before_sync": {"answered_is_durable", "seen_stays"},
    "keys_forgotten_at_restart": {"one_key_one_message"},
    "seq_reused_after_crash": {"one_place_per_message", "seen_stays", "no_hole", "seq_rises"},
    "cursor_outside_the_batch": {"cursors_keep"},
    "gap_between_replay_and_live": {"no_hole"},
    "double_fan_out": {"seq_rises"},
}
CRASHES = 3


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_planted_bug_is_caught_by_name(tmp_path: Path, name: str) -> None:
    rng = seeded()
    launcher = (str(Path(__file__).with_name("mutants.py")), name)
    cut = PowerCut(tmp_path / "data", tmp_path / "power")
    power = name == "answer_before_sync"
    node = Node(tmp_path / "data", launcher=launcher)
    node.start(extra_env=cut.begin() if power else None)
    async with Fleet(node, rng, users=3, devices=2) as fleet:
        for _ in range(CRASHES):
            await fleet.progress(80)
            # Time for the cursors: what was acknowledged now must count.
            await asyncio.sleep(1.2 if name == "cursor_outside_the_batch" else 0)
            fleet.crashed("cut" if power else "kill")
            node.kill9()
            if power:
                cut.apply()
            await asyncio.to_thread(node.restart, extra_env=cut.begin() if power else None)
        # A broken node may never settle; what was seen so far is enough.
        with suppress(TimeoutError):
            await fleet.heal()
    node.kill9()
    caught = {violation.rule for violation in check(fleet.history)}
    assert caught & CAUGHT_AS[name], f"caught only {caught}"
