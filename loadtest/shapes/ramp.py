"""All come, talk, a part is cut and comes back, talk on, end: what `make load` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.run.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.run.stages import Stage


class Ramp(Stages):
    """Up, hold, cut a fifth, hold a little."""

    def stages(self) -> Iterator[Stage]:
        """See the class."""
        yield self.bring(1.0)
        yield self.hold()
        yield self.cut(0.2)
        yield self.hold("after", self.run.options.hold / 4)
