"""Groups and channels: protocol.md section 6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from hivewire.client.objects import new_key
from hivewire.client.results import Group, Members
from hivewire.client.verbs.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Sequence


class GroupVerbs(Asking):
    """Make groups and channels, and say who is in them.

    The events that these make come through the timeline to all members, the caller included. A
    `key` makes giving the same change again harmless; a fresh one is used if there is none.
    """

    async def group_create(
        self,
        *,
        name: str = "",
        members: Sequence[str] = (),
        kind: Literal["group", "channel"] = "group",
        history: Literal["all", "joined"] = "all",
        group: str | None = None,
        key: str | None = None,
    ) -> Group:
        """Make a group that one owns.

        Args:
            name: as its members call it.
            members: at most 500 user ids besides one's own.
            kind: a group is copied into its members' timelines, a channel is one log to be read.
            history: what a new member may see: everything, or what comes after joining.
            group: its id; the server chooses one if None.
            key: 8 to 64 characters; a fresh one if None.
        """
        fields = {"group": group, "kind": kind, "name": name}
        fields |= {"members": list(members), "history": history}
        return await self._group("group.create", key=key or new_key(), **fields)

    async def group_add(
        self, conv: str, members: Sequence[str], *, key: str | None = None
    ) -> Group:
        """Add at most 500 users; adding a member again changes nothing."""
        return await self._group(
            "group.add", conv=conv, key=key or new_key(), members=list(members)
        )

    async def group_remove(
        self, conv: str, members: Sequence[str], *, key: str | None = None
    ) -> Group:
        """Remove at most 500 users."""
        return await self._group(
            "group.remove", conv=conv, key=key or new_key(), members=list(members)
        )

    async def group_rename(self, conv: str, name: str, *, key: str | None = None) -> Group:
        """Give the group another name."""
        return await self._group("group.update", conv=conv, key=key or new_key(), name=name)

    async def group_role(
        self,
        conv: str,
        user: str,
        role: Literal["owner", "admin", "member"],
        *,
        key: str | None = None,
    ) -> Group:
        """Give a member another role; owners only."""
        key = key or new_key()
        return await self._group("group.update", conv=conv, key=key, user=user, role=role)

    async def group_leave(self, conv: str, *, key: str | None = None) -> None:
        """Leave; what is in the timeline stays, nothing more comes."""
        await self.ask("group.leave", conv=conv, key=key or new_key())

    async def group_info(self, conv: str) -> Group:
        """What the group is and who is in it (at most 500 listed)."""
        return await self._group("group.info", conv=conv)

    async def group_members(
        self, conv: str, *, after: str | None = None, limit: int | None = None
    ) -> Members:
        """A page of members; give its `next` as `after` for the following one."""
        answer = await self.ask("group.members", conv=conv, after=after, limit=limit)
        return msgspec.convert(answer, Members)

    async def _group(self, op: str, **fields: object) -> Group:
        return msgspec.convert(await self.ask(op, **fields), Group)
