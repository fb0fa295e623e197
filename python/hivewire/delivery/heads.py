"""Heads of channels: what members who have a channel not open are told (protocol, section 6).

However many messages a channel gets, its members get one push in a while, with the newest head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.events import encode, twin

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.view import View

GATHER_MS = 200
"""From a message to the push that tells of it, and so at most five a second for each channel."""


def heads_topic(conv: str) -> str:
    """The engine's topic of connected members who have a channel not open."""
    return f"heads:{conv}"


def open_topic(conv: str) -> str:
    """The engine's topic of connections that have a channel open."""
    return f"open:{conv}"


def conversation_of(topic: str) -> str:
    """The channel that a topic belongs to."""
    return topic.partition(":")[2]


def head_push(conv: str, head: int) -> bytes:
    """`channel`, as JSON."""
    return encode({"op": "channel", "conv": conv, "head": head})


class Heads:
    """Channels with a head that is durable and not told yet.

    Args:
        view: What conversations are.
        soon: Asks for `take` in `GATHER_MS`.
    """

    def __init__(self, view: View, soon: Callable[[], None]) -> None:
        self._view = view
        self._soon = soon
        self._waiting: set[str] = set()

    def note(self, conv: str) -> None:
        """The channel has a new durable head."""
        if not self._waiting:
            self._soon()
        self._waiting.add(conv)

    def take(self, *, with_twin: bool) -> list[tuple[str, bytes, bytes | None]]:
        """For each such channel: the topic, and the push as JSON and perhaps MessagePack."""
        waiting, self._waiting = self._waiting, set()
        pushes: list[tuple[str, bytes, bytes | None]] = []
        for conv in sorted(waiting):
            body = head_push(conv, self._view.existing(conv).durable)
            pushes.append((heads_topic(conv), body, twin(body) if with_twin else None))
        return pushes
