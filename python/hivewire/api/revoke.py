"""Log a user out everywhere: tokens and tickets of before count no more (docs/security.md)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.server import named
from hivewire.api.shapes import UserId
from hivewire.core.entries import Rejection
from hivewire.handlers.revoke import revoke

if TYPE_CHECKING:
    from hivewire.api.context import Context


class RevokeWish(Struct):
    """Whose tokens."""

    user: UserId


class Revoked(Struct):
    """Tokens issued before this (ms since the Unix epoch) are refused; connections closed."""

    revoked_before: int
    disconnected: int


def endpoints(context: Context) -> list[Endpoint]:
    """The only one."""
    return [
        Endpoint(
            *("POST", "/api/v1/server/revoke", "Refuse a user's tokens of before."),
            *(partial(answer, context), Who.SERVER, RevokeWish, Revoked),
            refuses=("unavailable",),
        )
    ]


async def answer(context: Context, asked: Asked) -> Revoked:
    """Revoke, and answer when that is durable. Raises ApiError."""
    user = named(asked.values.user, "user")
    done: list[tuple[int, int] | Rejection] = []

    def change() -> None:
        done.append(revoke(user, context.sessions(user), context.services))
        context.polls.end_of(user)

    await context.calls.read(lambda: None, change)
    (found,) = done
    if isinstance(found, Rejection):
        raise ApiError.of(found)
    since, closed = found
    return Revoked(since, closed)
