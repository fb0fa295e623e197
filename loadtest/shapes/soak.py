"""Long and steady, a fault each minute: memory must stay flat. `--hold 3600` is an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.run.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.run.stages import Stage

ROUND_SECONDS = 60.0


class Soak(Stages):
    """A minute of holding and a fault, again and again: a few lines cut, many, a new logic."""

    def stages(self) -> Iterator[Stage]:
        """See the class."""
        yield self.bring(1.0)
        for number in range(max(1, round(self.run.options.hold / ROUND_SECONDS))):
            yield self.hold("hold", min(ROUND_SECONDS, self.run.options.hold))
            match number % 3:
                case 0:
                    yield self.cut(0.05)
                case 1:
                    yield self.reload()
                case _:
                    yield self.cut(0.3, away=3.0, spread=5.0)
