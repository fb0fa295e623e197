"""The simulation is tested by what it must catch: a node with one planted bug, judged by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.core import view
from hivewire.core.cursors import Cursors
from hivewire.core.view import View
from tests.chaos import mutants
from tests.chaos.test_node_mutations import CAUGHT_AS
from tests.sim.mutants import BUSY_MUTANTS, MUTANTS
from tests.sim.world import BUSY, Size, judge, rules, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.node import Machine

WITHIN = 40
"""Seeds within which each bug must show."""
PATCHED = ((View, "preload_keys"), (View, "key_row"), (Cursors, "flush"), (view, "load_user"))
"""What the mutants replace in the product, to be put back."""


def no_sync(machine: Machine) -> None:
    machine.store.syncs = False


def skip_behind_pages(machine: Machine) -> None:
    machine.spoil = mutants.skip_behind_pages()


def echo_to_sender(machine: Machine) -> None:
    machine.spoil = mutants.echo_to_sender


def nothing_more(_: Machine) -> None: ...


PLANTS: dict[str, Callable[[Machine], None]] = {
    "answer_before_sync": no_sync,
    "gap_between_replay_and_live": skip_behind_pages,
    "double_fan_out": echo_to_sender,
}
"""Bugs that sit below the product's own code; the others are patched into it."""


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_a_planted_bug_is_caught_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name not in PLANTS:
        for owner, attribute in PATCHED:
            monkeypatch.setattr(owner, attribute, getattr(owner, attribute))
        mutants.MUTANTS[name]()
    assert_caught(CAUGHT_AS[name], range(1, WITHIN), PLANTS.get(name, nothing_more))


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_of_groups_is_caught_by_name(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert_caught(MUTANTS[plant], range(2, 4 * WITHIN, 2))


@pytest.mark.parametrize("plant", BUSY_MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_of_commits_is_caught_by_name(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert_caught(BUSY_MUTANTS[plant], range(1, 8 * WITHIN), size=BUSY)


def assert_caught(
    names: set[str],
    seeds: range,
    plant: Callable[[Machine], None] = nothing_more,
    *,
    size: Size | None = None,
) -> None:
    """One of these rules is broken in one of these runs."""
    caught: set[str] = set()
    for seed in seeds:
        caught |= rules(judge(simulate(seed, size=size, plant=plant)))
        if caught & names:
            return
    pytest.fail(f"in {len(seeds)} seeds caught only {caught}")
