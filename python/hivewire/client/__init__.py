"""The Python client: durable sends, a timeline in order, and lines that come back by themselves.

async with Client("ws://127.0.0.1:8000/v1/ws", token, device="laptop") as client:
    sent = await client.send("user:bob", text="hi")
    async for event in client:
        print(event.seq, event.sender, event.text)
"""

from __future__ import annotations

from hivewire.client.client import Client, Line
from hivewire.client.errors import ClientError, Closed, CommandFailed, Disconnected
from hivewire.client.objects import Event, Sent, new_key

__all__ = [
    "Client",
    "ClientError",
    "Closed",
    "CommandFailed",
    "Disconnected",
    "Event",
    "Line",
    "Sent",
    "new_key",
]
