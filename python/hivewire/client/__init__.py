"""The Python client: durable sends, a timeline in order, and lines that come back by themselves.

async with Client("ws://127.0.0.1:8000/v1/ws", token, device="laptop") as client:
    sent = await client.send("user:bob", text="hi")
    async for event in client:
        print(event.seq, event.sender, event.text)
"""

from __future__ import annotations

from hivewire.client.adaptive import Adaptive, Bounds
from hivewire.client.client import Client, Line, Recent
from hivewire.client.errors import ClientError, Closed, CommandFailed, Discarded, Disconnected
from hivewire.client.following import Status
from hivewire.client.objects import Event, Item, Sent, new_key
from hivewire.client.pushes import (
    ChannelEvent,
    ChannelHead,
    Presence,
    PresenceChange,
    Push,
    Receipt,
    Typing,
    Unknown,
)
from hivewire.client.results import (
    Conversation,
    Conversations,
    Group,
    Heartbeat,
    History,
    Marks,
    Member,
    Members,
    Outcome,
    Recipient,
)
from hivewire.client.session import Loss
from hivewire.client.store import Store

__all__ = [
    "Adaptive",
    "Bounds",
    "ChannelEvent",
    "ChannelHead",
    "Client",
    "ClientError",
    "Closed",
    "CommandFailed",
    "Conversation",
    "Conversations",
    "Discarded",
    "Disconnected",
    "Event",
    "Group",
    "Heartbeat",
    "History",
    "Item",
    "Line",
    "Loss",
    "Marks",
    "Member",
    "Members",
    "Outcome",
    "Presence",
    "PresenceChange",
    "Push",
    "Receipt",
    "Recent",
    "Recipient",
    "Sent",
    "Status",
    "Store",
    "Typing",
    "Unknown",
    "new_key",
]
