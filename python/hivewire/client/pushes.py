"""What comes without being asked and outside the timeline: receipts, typing, presence, channels.

None of these is durable: what a slow or absent reader missed is told by `conversations`, `history`
and the next `watch`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Self

import msgspec

from hivewire.client.objects import Item

# Pushes that wait for one reader; beyond it the oldest is dropped.
MAX_WAITING: Final = 1000


class Receipt(msgspec.Struct, frozen=True):
    """A member has received and read a conversation up to these `n`."""

    conv: str
    user: str
    delivered: int
    read: int


class Typing(msgspec.Struct, frozen=True):
    """Somebody begins (`start`) or ends (`stop`) to write."""

    conv: str
    user: str
    state: str


class PresenceChange(msgspec.Struct, frozen=True):
    """A user is `online`, `away` or `offline`; `last_seen` in milliseconds, if it is known."""

    user: str
    state: str
    last_seen: int | None = None


class Presence(msgspec.Struct, frozen=True):
    """How present watched users are now."""

    changes: list[PresenceChange]


class ChannelHead(msgspec.Struct, frozen=True):
    """A channel has events up to `n` = `head`; `history` gives them."""

    conv: str
    head: int


class ChannelEvent(msgspec.Struct, frozen=True):
    """An event of a channel that this client has opened; a hole in `n` is filled by `history`."""

    item: Item


class Unknown(msgspec.Struct, frozen=True):
    """A push of a later version."""

    body: dict[str, Any]


Push = Receipt | Typing | Presence | ChannelHead | ChannelEvent | Unknown

_PLAIN: Final[dict[str, type[Receipt | Typing | Presence | ChannelHead]]] = {
    "receipt": Receipt,
    "typing": Typing,
    "presence": Presence,
    "channel": ChannelHead,
}


def push_of(body: dict[str, Any]) -> Push:
    """The push in an object of the wire; what has another shape than we know is `Unknown`."""
    op = body.get("op")
    try:
        if op == "channel_event":
            return ChannelEvent(Item.of({k: v for k, v in body.items() if k != "op"}))
        if op in _PLAIN:
            return msgspec.convert(body, _PLAIN[op])
    except (KeyError, msgspec.ValidationError):
        pass
    return Unknown(body)


class PushReader:
    """An iterator over the pushes from the moment it was made; ends when the client ends."""

    def __init__(self) -> None:
        self._waiting: deque[Push] = deque(maxlen=MAX_WAITING)
        self._wake = asyncio.Event()
        self._ended = False

    def put(self, push: Push) -> None:
        """One more; the oldest goes if the reader is slow."""
        self._waiting.append(push)
        self._wake.set()

    def end(self) -> None:
        """Nothing will come any more."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> Self:
        """Pushes, until the client ends."""
        return self

    async def __anext__(self) -> Push:
        """The next push."""
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()
