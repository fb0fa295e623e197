"""Phones on a train: lines break all the time, and what was missed is fetched on coming back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.fleet import Fleet, every

if TYPE_CHECKING:
    from loadtest.fleet.client import Client


class Commuters(Fleet):
    """Groups of 20; each line is cut once a minute, for up to ten seconds."""

    async def prepare(self) -> None:
        """The groups."""
        self.crowds = await self.groups(20)

    @every(60)
    def tell(self, client: Client) -> None:
        """A word to the group, heard at once or later."""
        client.send(self.crowds[client.index // 20])

    @every(60)
    def tunnel(self, client: Client) -> None:
        """No line for a while."""
        client.cut(away=self.rng.uniform(0, 10))
