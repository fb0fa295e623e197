"""Two and two: each says something to his neighbour every ten seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.fleet import Fleet, every

if TYPE_CHECKING:
    from loadtest.fleet.client import Client


class Pairs(Fleet):
    """2k talks with 2k + 1."""

    @every(10)
    def talk(self, client: Client) -> None:
        """A word to the neighbour; an odd last one talks to himself."""
        client.send(self.clients[min(client.index ^ 1, len(self.clients) - 1)])
