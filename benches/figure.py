"""A figure: what is measured on a floor program and on hivewire, and what counts as good."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import Tools

# What one file table holds: the node then runs one shard on its one core.
ONE_SHARD: Final = {"LIMITS__MAX_CONNECTIONS": "15000"}


@dataclass(frozen=True)
class Sample:
    """One measurement: the number that is compared, and everything else that was seen."""

    value: float
    seen: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Timing:
    """How long a closed loop runs before and while it is measured, and an idle fleet rests."""

    warm: float
    seconds: float
    rest: float

    def words(self) -> list[str]:
        """As the swarm takes them."""
        return ["--warm", str(self.warm), "--seconds", str(self.seconds)]


Measure: TypeAlias = "Callable[[Tools, Timing], Sample]"


@dataclass(frozen=True)
class Figure:
    """A row of the report.

    `bound` and `goal` are limits of hivewire / floor: upper ones, or lower ones where
    `more_is_better`; with `absolute`, and without a floor, they are limits of hivewire's own
    number. A figure without limits is only told. `rounds`, where it is not 0, is how many rounds it
    takes part in: what takes minutes and has no floor that it is compared with needs fewer.
    """

    name: str
    title: str
    unit: str
    floor: Measure | None
    node: Measure
    bound: float | None = None
    goal: float | None = None
    more_is_better: bool = False
    absolute: bool = False
    rounds: int = 0


def cpu(result: dict[str, Any]) -> Sample:
    """The server's CPU per operation, in microseconds."""
    return Sample(result["load"]["server_cpu_us_per_operation"], result)


def rate(result: dict[str, Any]) -> Sample:
    """Operations a second."""
    return Sample(result["load"]["operations_per_second"], result)


def fresh(data: Path) -> Path:
    """A data directory without data."""
    shutil.rmtree(data, ignore_errors=True)
    return data
