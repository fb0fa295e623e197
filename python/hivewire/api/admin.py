"""`GET /api/v1/server/connections`: who is connected, for the page at `/admin` and for scripts."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.shapes import Count
from hivewire.following import connection_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.api.context import Context

USERS: Final = 500
"""Users of one answer."""
WALKED: Final = 100_000
"""Beyond so many connections only a whole id is looked for: a walk would hold up the node."""

Search = Annotated[
    str, Meta(max_length=64, description="A part of the user's id; empty: everybody.")
]


class ConnectionsQuery(Struct):
    """Whose connections."""

    search: Search = ""
    limit: Count = 50


class Line(Struct):
    """A connection of a user."""

    device: str
    connection: str
    """As `connected.session` and the log have it."""


class Connected(Struct):
    """A user who is connected."""

    user: str
    devices: list[str]
    connections: list[Line]


class Connections(Struct):
    """Users who are connected, in the order of their ids."""

    items: list[Connected]
    users: int
    """How many users match, at most `limit` of whom are listed."""
    connections: int
    """All connections of the node, those too that have not said yet who they are."""
    whole_ids_only: bool
    """Whether there are so many connections that `search` has to be a whole id."""


def endpoints(context: Context) -> list[Endpoint]:
    """The one."""
    return [
        Endpoint(
            *("GET", "/api/v1/server/connections", "Who is connected?"),
            *(partial(connections, context), Who.SERVER, ConnectionsQuery, Connections),
            ("unavailable",),
        )
    ]


async def connections(context: Context, asked: Asked) -> Connections:
    """Who is connected now."""
    query: ConnectionsQuery = asked.values
    count = context.connections()
    crowded = count > WALKED
    users = [query.search] if crowded else matching(context.users(), query.search)
    shown = islice(users, min(query.limit, USERS))
    found = [connected(context, user) for user in shown]
    if crowded:
        found = [one for one in found if one.devices]
    return Connections(found, len(found) if crowded else len(users), count, crowded)


def connected(context: Context, user: str) -> Connected:
    """A user with his devices and their connections, by name."""
    sessions = sorted((device, connection_id(conn)) for conn, device in context.sessions(user))
    lines = [Line(device, connection) for device, connection in sessions]
    return Connected(user, sorted(context.services.devices(user)), lines)


def matching(users: Iterable[str], search: str) -> list[str]:
    """Those whose id holds `search`, whichever case; first the one who is it."""
    wanted = search.casefold()
    found = [user for user in users if wanted in user.casefold()]
    return sorted(found, key=lambda user: (user != search, user))
