"""hivewire: a durable chat connection server.

The Rust engine holds the sockets, Python decides. Run a node with `hivewire serve`; talk to one
with `hivewire.client.Client`; build on it with `hivewire.App` (docs/hooks.md).
"""

from __future__ import annotations

from typing import Final

from hivewire.hooks import (
    App,
    Credentials,
    Event,
    Identity,
    Message,
    NotSent,
    Refuse,
    Sent,
    Session,
)

__all__ = [
    "App",
    "Credentials",
    "Event",
    "Identity",
    "Message",
    "NotSent",
    "Refuse",
    "Sent",
    "Session",
]

__version__: Final = "0.1.0"
