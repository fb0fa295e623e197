"""What Locust and the processes with the sockets say to each other over a socket pair.

Each message is four bytes of length, big-endian, and a tagged MessagePack map.
"""

from __future__ import annotations

from typing import Final

import msgspec

PREFIX_BYTES: Final = 4


class Target(msgspec.Struct, frozen=True):
    """The node, and how its users prove who they are.

    `key` is the secret of HS256, or the private key in PEM.
    """

    url: str
    algorithm: str
    key: str
    run: str
    device: str = "load"
    openings: int = 200
    pace: float = 1.0


class Begin(msgspec.Struct, tag=True, frozen=True):
    """First of all: where to connect to."""

    target: Target


class Enlist(msgspec.Struct, tag=True, frozen=True):
    """Bring a fleet up: the class `name` in the file `path`, its clients numbered from `first`."""

    fleet: int
    path: str
    name: str
    size: int
    first: int


class Cut(msgspec.Struct, tag=True, frozen=True):
    """Cut a share of all lines without a word, each for `away` + 0…`spread` seconds."""

    share: float
    away: float
    spread: float


class Settle(msgspec.Struct, tag=True, frozen=True):
    """Stop the chores, bring everybody back, wait until all have all; -1: all fleets."""

    seconds: float
    fleet: int = -1


class Await(msgspec.Struct, tag=True, frozen=True):
    """From now on the node goes down: lines that it closes are no fault and do not come back."""


class Dismiss(msgspec.Struct, tag=True, frozen=True):
    """Close the lines of a fleet and forget it."""

    fleet: int


Order = Begin | Enlist | Cut | Settle | Await | Dismiss


class Up(msgspec.Struct, tag=True, frozen=True):
    """All clients of a fleet are live and its preparations are done."""

    fleet: int


class Settled(msgspec.Struct, tag=True, frozen=True):
    """A fleet is quiet: what it promised was checked. `late` seconds were needed."""

    fleet: int
    late: float


class Failed(msgspec.Struct, tag=True, frozen=True):
    """A fleet's own code raised; the run is worth nothing."""

    fleet: int
    words: str


class Report(msgspec.Struct, tag=True):
    """Once a second: what happened since the last report, and how things stand.

    `samples` are histograms in µs by name, `failures` counts by name and text, `counts` what was
    counted; `standing`, `silent`, `gone` (cut by order, not back yet), `resident` and `cpu` are the
    state now.
    """

    samples: dict[str, dict[int, int]]
    failures: list[tuple[str, str, int]]
    counts: dict[str, int]
    examples: list[str]
    standing: int
    silent: int
    gone: int
    resident: int
    cpu: float


News = Up | Settled | Failed | Report

_ENCODE: Final = msgspec.msgpack.Encoder()
_ORDERS: Final = msgspec.msgpack.Decoder(Order)
_NEWS: Final = msgspec.msgpack.Decoder(News)


def pack(message: Order | News) -> bytes:
    """One message with its length in front."""
    body = _ENCODE.encode(message)
    return len(body).to_bytes(PREFIX_BYTES, "big") + body


def order(body: bytes) -> Order:
    """What a crew was told."""
    return _ORDERS.decode(body)


def news(body: bytes) -> News:
    """What a crew tells."""
    return _NEWS.decode(body)
