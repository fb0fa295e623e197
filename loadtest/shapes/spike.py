"""A fifth of all are there; suddenly everybody is; then a fifth again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.run.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.run.stages import Stage


class Spike(Stages):
    """Low, high, low."""

    def stages(self) -> Iterator[Stage]:
        """See the class."""
        part = self.run.options.hold / 3
        yield self.bring(0.2)
        yield self.hold("before", part)
        yield self.bring(1.0, clients_per_second=5000)
        yield self.hold("hold", part)
        yield self.bring(0.2, clients_per_second=5000)
        yield self.hold("after", part)
