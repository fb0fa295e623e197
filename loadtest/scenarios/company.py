"""People at work: direct chats, teams of 20, departments of 100, a channel, presence, lunch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.fleet import Fleet, every

if TYPE_CHECKING:
    from loadtest.fleet.client import Client

TEAM = 20
DEPARTMENT = 100


class Company(Fleet):
    """Clients 0 … 19 are the first team, 0 … 99 the first department; 100 share a channel."""

    async def prepare(self) -> None:
        """Groups for all; half of the channel's members have it open; one in ten watches others."""
        self.teams = await self.groups(TEAM)
        self.departments = await self.groups(DEPARTMENT)
        self.news = await self.group(self.clients[:100], kind="channel")
        for client in self.clients[:50]:
            await client.open(self.news)
        for client in self.clients[::10]:
            client.watch(self.others(client, 10))

    @every(120)
    def say(self, client: Client) -> None:
        """A word to a colleague."""
        client.send(self.others(client, 1)[0])

    @every(1200)
    def tell_team(self, client: Client) -> None:
        """A word to nineteen."""
        client.send(self.teams[client.index // TEAM])

    @every(6000)
    def tell_department(self, client: Client) -> None:
        """A word to ninety-nine."""
        client.send(self.departments[client.index // DEPARTMENT])

    @every(10000)
    def publish(self, client: Client) -> None:
        """News from the channel's owner."""
        del client
        self.clients[0].send(self.news)

    @every(1800)
    def lunch(self, client: Client) -> None:
        """Off the line; what was said meanwhile is fetched on coming back."""
        client.leave(away=self.rng.uniform(5, 30))
