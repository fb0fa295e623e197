"""What one Python layer leaves to the next over the same engine.

Nothing in it depends on the classes of a version, so a node of newer code can take it. What is not
in here is either on the disk or can be forgotten: caches, rates, what was gathered for a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import socket

VERSION: Final = 2
"""Of this form. Code that knows another one cannot take over: the node has to be restarted."""


class Handover(NamedTuple):
    """A node that has come to rest, all of it durable, its sockets open."""

    engine: Any
    """Running; the `_engine.Engine`."""
    edge: str
    """Where it listens."""
    listener: socket.socket
    """Where the api listens; who connects meanwhile waits in its queue."""
    store: Any
    """Open; for `Rocks.adopt`."""
    metrics: Any
    """Goes on counting if the next layer has the same class."""
    waiting: list[Any]
    """For `Gateway.take_over`."""
    msgpack_sessions: int
    standing: Any
    """For `presence.succession.take_over`."""
    unfinished: Any
    """For `Bridge.take_over`; None without an application."""
    retention: Any
    """For `Retention.place`."""
    keys: Any
    """For `PublishedKeys.take_over`."""
    trace: Any
    """For `Trace.take_over`: what became of the newest messages."""
    trail: Any
    """For `Trail.take_over`: what became of the newest pushes; empty without pushes."""
