"""Channels of a connection: which heads it hears of, and what it is told when it missed some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.listing import channels_of
from hivewire.delivery import encode
from hivewire.delivery.heads import conversation_of, heads_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.core.state import UserState
    from hivewire.handlers.services import Services


def follow(timeline: UserState, conn: int, services: Services) -> None:
    """From its `connected` on a connection hears of the heads of the user's channels.

    Who is in none, as nearly everybody, costs a look at a number.
    """
    if not timeline.channels:
        return
    delivery = services.delivery
    for conv in channels_of(services.view.store, timeline.user):
        delivery.now.append((delivery.ops.subscribe, conn, heads_topic(conv)))


def catch_up(conn: int, encoding: int, topics: Iterable[str], services: Services) -> None:
    """Tell a slow reader, that has read now, the newest heads of the channels it missed some of."""
    delivery, view = services.delivery, services.view
    for conv in {conversation_of(topic) for topic in topics}:
        push = {"op": "channel", "conv": conv, "head": view.existing(conv).durable}
        delivery.now.append((delivery.ops.send, conn, encode(encoding, push)))
