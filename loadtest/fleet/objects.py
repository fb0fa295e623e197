"""What the node says, as far as a load client looks at it, and what the client says most often."""

from __future__ import annotations

from typing import Any, Final

import msgspec


class Event(msgspec.Struct, gc=False):
    """One event: of a timeline (`seq`), or of a conversation's history (without)."""

    type: str = ""
    conv: str = ""
    n: int = 0
    seq: int = 0
    key: str = ""
    text: str = ""

    @property
    def mark(self) -> str:
        """What stands at this place: the sender's key, or the kind of event."""
        return self.key or self.type


class Page(msgspec.Struct):
    """Events from after the asked position on; `done`: pushes go on from here."""

    events: list[Event] = []
    next: int = 0
    done: bool = False


class Heartbeat(msgspec.Struct):
    """After how much silence the node pings, and how long it waits then."""

    interval_ms: int = 0
    timeout_ms: int = 0


class Said(msgspec.Struct):
    """Any object of the node: the fields of all kinds that a load client needs."""

    op: str
    id: int = 0
    type: str = ""
    conv: str = ""
    n: int = 0
    seq: int = 0
    key: str = ""
    text: str = ""
    head: int = 0
    cursor: int = 0
    next: int = 0
    done: bool = False
    dup: bool = False
    reset: bool = False
    epoch: str = ""
    ticket: str = ""
    code: str | int = ""
    message: str = ""
    delay_ms: int = 0
    reconnect: bool = True
    # What a load client looks into of a list: events of a page, items of a history, changes.
    events: list[Event] = []
    items: list[Event] = []
    changes: list[dict[str, Any]] = []
    page: Page | None = None
    heartbeat: Heartbeat | None = None

    @property
    def mark(self) -> str:
        """As in `Event`."""
        return self.key or self.type


decode: Final = msgspec.json.Decoder(Said).decode
encode: Final = msgspec.json.encode
PONG: Final = b'{"op":"pong"}'
PING: Final = b'{"op":"ping"}'
