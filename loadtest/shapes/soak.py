"""Long and steady, a twentieth cut every minute: memory must not grow. `--hold 3600` is an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.run.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.run.stages import Stage

ROUND_SECONDS = 60.0


class Soak(Stages):
    """A minute of holding, a cut, again and again."""

    def stages(self) -> Iterator[Stage]:
        """See the class."""
        yield self.bring(1.0)
        for _ in range(max(1, round(self.run.options.hold / ROUND_SECONDS))):
            yield self.hold("hold", min(ROUND_SECONDS, self.run.options.hold))
            yield self.cut(0.05)
