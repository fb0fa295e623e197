"""Almost silent: what it costs to be there. One word an hour, so that the run proves something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.fleet import Fleet, every

if TYPE_CHECKING:
    from loadtest.fleet.client import Client


class Idle(Fleet):
    """Heartbeats, and hardly anything else."""

    @every(3600)
    def say(self, client: Client) -> None:
        """A word to somebody."""
        client.send(self.others(client, 1)[0])
