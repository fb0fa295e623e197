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


_COMMON = frozenset(
    {"op", "seq", "type", "conv", "n", "from", "key", "ts", "text", "recalled", "edited"}
)


@dataclass(frozen=True, slots=True)
class Event:
    """One durable event as a timeline (`seq` from 1) or a conversation's history (0) shows it."""

    seq: int
    conv: str
    n: int
    sender: str
    key: str
    text: str
    type: str = "message"
    about: str = ""
    """All that is particular to its type, as JSON; in a history, the reactions to a message."""
    recalled: bool = False

    @classmethod
    def of(cls, wire: dict[str, Any]) -> Event:
        """Take an event from the wire: pushed, from a page, from a history."""
        kind = wire.get("type", "message")
        rest: dict[str, Any] = {}
        if kind != "message":
            rest = {name: value for name, value in wire.items() if name not in _COMMON}
        elif "reactions" in wire:
            rest = {emoji: sorted(users) for emoji, users in wire["reactions"].items()}
        return cls(
            wire.get("seq", 0),
            wire["conv"],
            wire["n"],
            wire["from"],
            wire["key"],
            wire.get("text") or "",
            kind,
            json.dumps(rest, sort_keys=True) if rest else "",
            "recalled" in wire,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """`at` is time.monotonic_ns(); `line` numbers the connections of the run."""

    at: int
    line: int
    user: str
    device: str


@dataclass(frozen=True, slots=True)
class Invoke(Record):
    """A command with a key is about to be written to the socket.

    `about` is what its event must be about, as in `Event`; empty: anything.
    """

    key: str
    conv: str
    text: str
    op: str = "send"
    about: str = ""


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """Its `sent`; `type` is that of its event. In a channel there is no `seq`: 0."""

    key: str
    conv: str
    n: int
    seq: int
    dup: bool
    type: str = "message"


@dataclass(frozen=True, slots=True)
class GroupTold(Record):
    """`group` (or for `group.leave` its `ok`, with nothing in it), the answer to a change."""

    key: str
    conv: str
    head: int = 0
    members: tuple[str, ...] = ()
    dup: bool = False


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
class Silent(Record):
    """From here on it is not certain that anything of this line gets through, nor when."""


@dataclass(frozen=True, slots=True)
class HistoryRead(Record):
    """A part of a conversation, read by a member: `final` when nobody changes anything any more."""

    conv: str
    events: tuple[Event, ...]
    final: bool = False
    head: int = 0
    """The head that was told with it, or had been answered before it was asked for, if known."""
    newest: bool = False
    """Asked for from the head backwards."""


@dataclass(frozen=True, slots=True)
class ReadDone(Record):
    """A `read` was answered `ok`: the mark is durable."""

    conv: str
    n: int


@dataclass(frozen=True, slots=True)
class Block(Record):
    """A `block` is about to be written: direct messages of `other` may be refused from here on."""

    other: str


@dataclass(frozen=True, slots=True)
class MarkTold(Record):
    """How far `member` has got in a conversation, by a receipt or a listing."""

    conv: str
    member: str
    delivered: int
    read: int


@dataclass(frozen=True, slots=True)
class HeadTold(Record):
    """How far a channel has got, by whatever told it to this line."""

    conv: str
    head: int


@dataclass(frozen=True, slots=True)
class Listening(Record):
    """A channel is open on this line, from behind `head` on; None: not any more."""

    conv: str
    head: int | None


@dataclass(frozen=True, slots=True)
class ChannelEvent(Record):
    """A `channel_event` was pushed."""

    event: Event


@dataclass(frozen=True, slots=True)
class Listed(Record):
    """After healing: all conversations that the user is told to be in."""

    convs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread(Record):
    """The node's count of unread messages in a conversation, with the mark `read` (an `n`)."""

    conv: str
    read: int
    unread: int
    head: int = 0
    """Told with it while things went on; 0: in the end."""


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
