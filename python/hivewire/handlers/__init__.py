"""What each verb does: one verb, one file, each with `handle(command, caller, services)`.

`HANDLERS` maps the type of a decoded command to it. A handler answers through `services.delivery`
and returns at once; nothing is awaited on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core import commands
from hivewire.handlers import ack, connect, errors, heartbeat, ping, refresh, send, sync
from hivewire.handlers.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.delivery import Caller

__all__ = ["HANDLERS", "Services", "errors"]

HANDLERS: dict[type, Callable[[Any, Caller, Services], None]] = {
    commands.Send: send.handle,
    commands.Ack: ack.handle,
    commands.Sync: sync.handle,
    commands.Connect: connect.handle,
    commands.Refresh: refresh.handle,
    commands.Heartbeat: heartbeat.handle,
    commands.Ping: ping.handle,
    commands.Pong: ping.ignore,
    commands.CommandError: errors.handle,
}
