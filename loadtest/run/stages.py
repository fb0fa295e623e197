"""Shapes: how many fleets there are, and what is done to them, as a list of stages."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from loadtest.run import plugin
from loadtest.run.crews import CrewFailed
from locust import LoadTestShape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtest.run.run import Run

CALM_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 120.0
RELOAD_SECONDS: Final = 10.0
"""What a reload takes at most; commands wait meanwhile, so no speed is judged."""


@dataclass
class Stage:
    """So many fleets, until `over` says so; asked once a second."""

    fleets: int
    per_second: float
    over: Callable[[], bool]


class Stages(LoadTestShape):
    """Derive from it and write `stages`: it yields what `bring`, `hold`, `cut`, `reload` give."""

    abstract: ClassVar[bool] = True
    use_common_options: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._plan: Iterator[Stage] | None = None
        self._stage: Stage | None = None
        self._fleets = 0
        self._per_second = 1.0

    def stages(self) -> Iterator[Stage]:
        """What happens, one after the other."""
        raise NotImplementedError

    @property
    def run(self) -> Run:
        """The run that is being shaped: its options, its crews."""
        assert self.runner is not None, "Locust sets it before the first tick"
        return plugin.run(self.runner.environment)

    def bring(self, share: float, *, clients_per_second: float = 2500.0) -> Stage:
        """Come or go until this share of all fleets is there; over when all are live."""
        self._fleets = max(1, round(share * self.run.fleets()))
        self._per_second = max(0.1, clients_per_second / self.run.fleet_size())
        if self.run.crews.all:
            self.run.begin("change")
        crews, fleets, since = self.run.crews, self._fleets, [math.inf]

        def there() -> bool:
            # The crews' last reports about coming up belong to this phase.
            since[0] = min(since[0], time.monotonic()) if crews.are_up(fleets) else math.inf
            return time.monotonic() >= since[0] + CALM_SECONDS

        return self._stay(there)

    def hold(self, name: str = "hold", seconds: float | None = None) -> Stage:
        """Let them act. The phase called `hold` is the one whose speed is judged."""
        self.run.begin(name)
        until = time.monotonic() + (self.run.options.hold if seconds is None else seconds)
        return self._stay(lambda: time.monotonic() >= until)

    def cut(self, share: float, *, away: float = 1.0, spread: float = 2.0) -> Stage:
        """Cut this share of all lines, without a word; over when they are back.

        Each comes back after `away` seconds and a random part of `spread`.
        """
        crews, began = self.run.crews, time.monotonic()
        self.run.begin("cut")
        crews.cut(share, away, spread)

        def back() -> bool:
            seconds = time.monotonic() - began
            # The reports of after the cut must be here before they can be believed.
            away_yet = seconds < away + spread + CALM_SECONDS or crews.gone() > 0
            if away_yet and seconds < PATIENCE_SECONDS:
                return False
            self.run.comebacks.append(seconds)
            return True

        return self._stay(back)

    def reload(self) -> Stage:
        """The node loads its Python anew while all lines stand; a node of yours is left alone."""
        self.run.begin("reload")
        if self.run.node is not None:
            self.run.node.reload()
        until = time.monotonic() + RELOAD_SECONDS
        return self._stay(lambda: time.monotonic() >= until)

    def _stay(self, over: Callable[[], bool]) -> Stage:
        return Stage(self._fleets, self._per_second, over)

    def tick(self) -> tuple[int, float] | None:
        """What Locust asks once a second; None ends the run."""
        if self._plan is None:
            self._plan = iter(self.stages())
        try:
            if self._stage is None or self._stage.over():
                self._stage = next(self._plan)
        except StopIteration:
            return None
        except CrewFailed as failure:
            self.run.crash = str(failure)
            return None
        return self._stage.fleets, self._stage.per_second
