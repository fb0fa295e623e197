"""Everybody's line is cut at once: they must all be back within `--max-comeback` seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.run.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.run.stages import Stage


class Storm(Stages):
    """Up, hold, all are cut, hold."""

    def stages(self) -> Iterator[Stage]:
        """See the class."""
        yield self.bring(1.0)
        yield self.hold()
        yield self.cut(1.0, spread=10.0)
        yield self.hold("after", self.run.options.hold)
