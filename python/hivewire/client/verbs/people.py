"""Other people: who is there, who may write. protocol.md sections 6 and 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from hivewire.client.pushes import Presence, PresenceChange
from hivewire.client.verbs.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hivewire.client.standing import Standing


class PeopleVerbs(Asking):
    """Watch users, say how present oneself is, block."""

    standing: Standing

    async def watch(self, users: Sequence[str]) -> list[PresenceChange]:
        """Have changes of these users' presence pushed, on later lines too; gives the present one.

        After a new line a `Presence` push tells how present they are by then. At most 500 in all.
        """
        answer = await self.ask("watch", users=list(users))
        self.standing.watched(users)
        return msgspec.convert(answer, Presence).changes

    async def unwatch(self, users: Sequence[str]) -> None:
        """Have these users' presence pushed no more."""
        self.standing.unwatched(users)
        await self.ask("unwatch", users=list(users))

    async def status(self, state: Literal["online", "away", "invisible"]) -> None:
        """How present this device shows its user, on later lines too."""
        await self.ask("status", state=state)
        self.standing.status(state)

    async def block(self, user: str) -> None:
        """Refuse direct messages of this user, and look offline to him."""
        await self.ask("block", user=user)

    async def unblock(self, user: str) -> None:
        """Take messages of this user again."""
        await self.ask("unblock", user=user)
