"""Under which bounds a run takes place, and the tokens that are good there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from hivewire.auth import mint_token
from hivewire.config import load
from tests.sim.loop import EPOCH_NS, S

if TYPE_CHECKING:
    from hivewire.config import Settings

SECRET = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Climate:
    """The bounds under which a run takes place: so small that its clients reach them."""

    window: int = 6_000
    """Bytes that the sockets of a line hold."""
    outbox_soft: int = 4_096
    outbox_hard: int = 16_384
    outbox_stall: int = 10_000
    page_bytes: int = 4_096
    interval: int = 25_000
    timeout: int = 10_000
    group_members: int = 500
    cache_users: int = 8_192


CLIMATES = (
    Climate(),
    Climate(window=1_000, outbox_soft=1_000, outbox_hard=2_000, outbox_stall=3_000, cache_users=2),
    Climate(window=1_500, page_bytes=600, interval=800, timeout=400, group_members=3),
)


@cache
def settings(climate: Climate) -> Settings:
    made = load(auth={"secret": SECRET}, limits={"sends_per_second": 0, "sends_per_second_user": 0})
    bounds = ("outbox_soft", "outbox_hard", "outbox_stall", "page_bytes", "group_members")
    beats = ("interval", "timeout")
    return made.model_copy(
        update={
            "limits": made.limits.model_copy(
                update={name: getattr(climate, name) for name in bounds}
            ),
            "store": made.store.model_copy(update={"cache_users": climate.cache_users}),
            "heartbeat": made.heartbeat.model_copy(
                update={name: getattr(climate, name) for name in beats}
            ),
        }
    )


@cache
def token(user: str) -> str:
    auth = settings(CLIMATES[0]).auth
    return mint_token(auth, user, None, ttl=30 * 86_400, now=EPOCH_NS // S)
