"""Hooks of an application: plain async functions that a node calls on its way (docs/hooks.md).

These are the names for applications; `bridge` and the other rooms are the node's side.
"""

from __future__ import annotations

from hivewire.hooks.application import App
from hivewire.hooks.values import (
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
