"""What the clients of a run saw, in the order in which they saw it, with their monotonic clock.

A record that starts something (`Invoke`, `Connect`, `Sync`, `Ack`) is written before the I/O, so a
crash between the two leaves a send that is *unknown*: it may or may not be there, but never twice.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Event:
    """One durable event as a member's timeline shows it."""

    seq: int
    conv: str
    n: int
    sender: str
    key: str
    text: str

    @classmethod
    def of(cls, wire: dict[str, Any]) -> Event:
        """Take an `event` object, pushed or from a page."""
        return cls(wire["seq"], wire["conv"], wire["n"], wire["from"], wire["key"], wire["text"])


@dataclass(frozen=True, slots=True)
class Record:
    """`at` is time.monotonic_ns(); `line` numbers the connections of the run."""

    at: int
    line: int
    user: str
    device: str


@dataclass(frozen=True, slots=True)
class Invoke(Record):
    """A `send` is about to be written to the socket."""

    key: str
    conv: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """Its `sent`."""

    key: str
    conv: str
    n: int
    seq: int
    dup: bool


@dataclass(frozen=True, slots=True)
class Refusal(Record):
    """Its `error`."""

    key: str
    code: str


@dataclass(frozen=True, slots=True)
class Connect(Record):
    """A `connect` is about to be written; its cursor may be set though `connected` never comes."""

    given: int | None


@dataclass(frozen=True, slots=True)
class Connected(Record):
    """`connected` came; `given` is the cursor of the command (None:

    the server's stored one counts).
    """

    given: int | None
    cursor: int
    head: int
    trimmed_before: int
    new_device: bool
    reset: bool


@dataclass(frozen=True, slots=True)
class Sync(Record):
    """A `sync` is about to be written."""

    after: int


@dataclass(frozen=True, slots=True)
class Page(Record):
    """Its page (or the one inside `connected`)."""

    after: int
    events: tuple[Event, ...]
    next: int
    done: bool
    trimmed_before: int = 1


@dataclass(frozen=True, slots=True)
class Push(Record):
    """An `event` was pushed."""

    event: Event


@dataclass(frozen=True, slots=True)
class Ack(Record):
    """An `ack` is about to be written."""

    seq: int


@dataclass(frozen=True, slots=True)
class LineEnded(Record):
    """The client has noticed that its line is gone, or has cut it."""


@dataclass(frozen=True, slots=True)
class Unread(Record):
    """The node's count of unread messages in a conversation, with the mark `read` (an `n`)."""

    conv: str
    read: int
    unread: int


@dataclass(frozen=True, slots=True)
class Crash(Record):
    """A kill (`how` "kill") or a power cut ("cut"), while `in_flight` sends were open."""

    how: str
    in_flight: int


@dataclass(frozen=True, slots=True)
class Healed(Record):
    """No fault from here on; the convergence clock starts."""


@dataclass(frozen=True, slots=True)
class Settled(Record):
    """After healing this line was live and quiet; `position` is the last `seq` it got."""

    position: int


@dataclass(frozen=True, slots=True)
class Final(Record):
    """After healing this device read its whole timeline again, from `trimmed_before` on."""

    events: tuple[Event, ...]
    trimmed_before: int = 1


History = list[Record]


def dump(history: Iterable[Record], path: Path) -> None:
    """Write one JSON object a line, for a look at a failed run."""
    with path.open("w") as file:
        for record in history:
            row = {"record": type(record).__name__} | dataclasses.asdict(record)
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
