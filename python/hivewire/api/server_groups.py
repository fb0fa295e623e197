"""`server/groups`: the group commands of the protocol (section 6), for any user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.shapes import Count, GroupConv, Key, UserId
from hivewire.core.limits import MEMBERS_A_COMMAND
from hivewire.core.names import is_name

if TYPE_CHECKING:
    from hivewire.api.context import Context

Role = Literal["owner", "admin", "member"]
Users = Annotated[list[UserId], Meta(max_length=MEMBERS_A_COMMAND)]


class _Command(Struct, kw_only=True, tag_field="op"):
    from_: UserId = msgspec.field(name="from")


class GroupCreate(_Command, kw_only=True, tag="group.create"):
    """A new group or channel; `from` owns it."""

    key: Key
    group: UserId | None = None
    kind: Literal["group", "channel"] = "group"
    name: str = ""
    members: Users | None = None
    history: Literal["all", "joined"] = "all"


class GroupAdd(_Command, kw_only=True, tag="group.add"):
    """More members."""

    conv: GroupConv
    key: Key
    members: Users


class GroupRemove(_Command, kw_only=True, tag="group.remove"):
    """Fewer members."""

    conv: GroupConv
    key: Key
    members: Users


class GroupUpdate(_Command, kw_only=True, tag="group.update"):
    """Another name, or another role for a member."""

    conv: GroupConv
    key: Key
    name: str | None = None
    user: UserId | None = None
    role: Role | None = None


class GroupLeave(_Command, kw_only=True, tag="group.leave"):
    """`from` leaves."""

    conv: GroupConv
    key: Key


class GroupInfo(_Command, kw_only=True, tag="group.info"):
    """What a group is and who is in it."""

    conv: GroupConv


class GroupMembers(_Command, kw_only=True, tag="group.members"):
    """All members, page by page."""

    conv: GroupConv
    after: UserId | None = None
    limit: Count = 100


GroupCommand = (
    GroupCreate | GroupAdd | GroupRemove | GroupUpdate | GroupLeave | GroupInfo | GroupMembers
)


class Member(Struct):
    """Somebody in a group."""

    user: str
    role: Role


class Group(Struct, tag_field="op", tag="group"):
    """A group as it is now."""

    conv: str
    kind: Literal["group", "channel"]
    name: str
    history: Literal["all", "joined"]
    members: list[Member]
    count: int
    head: int
    dup: bool


class Members(Struct, tag_field="op", tag="members"):
    """A page of members."""

    items: list[Member]
    next: str | None


class Done(Struct, tag_field="op", tag="ok"):
    """It is done."""


GroupAnswer = Group | Members | Done


def endpoints(context: Context) -> list[Endpoint]:
    """The one for groups."""

    async def command(asked: Asked) -> bytes:
        return await run(asked.values, context)

    return [
        Endpoint(
            *("POST", "/api/v1/server/groups", "Command a group for a user."),
            *(command, Who.SERVER, GroupCommand, GroupAnswer),
            refuses=("forbidden", "conflict", "not_found", "unavailable"),
        )
    ]


async def run(wanted: GroupCommand, context: Context) -> bytes:
    """Carry out a command with its user's rights. Raises ApiError."""
    if not is_name(wanted.from_):
        raise ApiError("bad_request", "`from` is malformed", field="from")
    names = (name for name in wanted.__struct_fields__ if name != "from_")
    fields: dict[str, Any] = {name: getattr(wanted, name) for name in names}
    given = {name: value for name, value in fields.items() if value is not None}
    op = str(wanted.__struct_config__.tag)
    return await context.calls.run_trusted(op, given, wanted.from_)
