"""Revocation: what was issued to a user before now counts no more, on any device.

Nobody is asked for it on the wire: the application's backend does it (protocol, section 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hivewire.auth import Refused
from hivewire.core.entries import Rejection, RevokeEntry
from hivewire.delivery import JSON, Caller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.handlers.services import Services

EXPIRED_AT_ONCE: Final = 100
"""Revocations that have expired and are forgotten together with a new one."""
FULL: Final = Rejection(
    "unavailable", "too many users' tokens are revoked (auth.revocations)", retryable=True
)


def revoke(
    user: str, sessions: Iterable[tuple[int, str]], services: Services
) -> tuple[int, int] | Rejection:
    """Refuse the user's tokens and tickets from now on and close his connections (4500).

    In a turn of the node; it is durable when the next commit is.

    Args:
        user: Whose.
        sessions: His connections, each with its device.
        services: The node.

    Returns:
        Since when tokens count (ms), and how many connections were closed.
    """
    revocations, auth = services.verifier.revocations, services.settings.auth
    expired = revocations.older_than(services.now_ms - auth.revocations_kept, EXPIRED_AT_ONCE)
    if not revocations.since(user) and len(revocations) - len(expired) >= auth.revocations:
        return FULL
    since = max(services.now_ms, revocations.since(user))
    gone = tuple(name for name in expired if name != user)
    services.delivery.revoke(RevokeEntry(user, since, gone))
    for name in gone:
        revocations.forget(name)
    revocations.note(user, since)
    return since, _close(user, sessions, services)


def _close(user: str, sessions: Iterable[tuple[int, str]], services: Services) -> int:
    """End the connections of a user, those too whose `connected` is on its way."""
    code, delivery = services.close_codes["BAD_TOKEN"], services.delivery
    lines = dict(sessions)
    lines |= {conn: device for device, conn in services.connecting.get(user, ())}
    lines |= {conn: device for device, conn in services.connected.get(user, {}).items()}
    for conn, device in lines.items():
        delivery.close(Caller(conn, user, device, JSON, None), code, Refused.TEXT)
    return len(lines)
