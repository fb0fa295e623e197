"""What each verb does: one verb, one file, each with `handle(command, caller, services)`.

`HANDLERS` maps the type of a decoded command to it. A handler answers through `services.delivery`
and returns at once; nothing is awaited on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core import commands
from hivewire.handlers import (
    ack,
    block,
    channels,
    close,
    connect,
    conversations,
    edit,
    errors,
    groups,
    heartbeat,
    history,
    keys,
    open,  # noqa: A004 - the verb's name
    outcome,
    ping,
    push,
    react,
    read,
    recall,
    refresh,
    send,
    status,
    sync,
    typing,
    unblock,
    unwatch,
    watch,
)
from hivewire.handlers.bounded import bounded
from hivewire.handlers.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.delivery import Caller

__all__ = ["HANDLERS", "Services", "channels", "errors"]

HANDLERS: dict[type, Callable[[Any, Caller, Services], None]] = {
    commands.Send: send.handle,
    commands.Ack: ack.handle,
    commands.Sync: sync.handle,
    commands.Edit: edit.handle,
    commands.Recall: recall.handle,
    commands.React: react.handle,
    commands.Read: read.handle,
    commands.Typing: typing.handle,
    commands.Conversations: conversations.handle,
    commands.HistoryQuery: history.handle,
    commands.Outcome: outcome.handle,
    commands.Open: open.handle,
    commands.Close: close.handle,
    commands.GroupCreate: groups.create.handle,
    commands.GroupAdd: groups.add.handle,
    commands.GroupRemove: groups.remove.handle,
    commands.GroupUpdate: groups.update.handle,
    commands.GroupLeave: groups.leave.handle,
    commands.GroupInfo: groups.info.handle,
    commands.GroupMembers: groups.members.handle,
    commands.Block: block.handle,
    commands.Unblock: unblock.handle,
    commands.KeysPut: keys.put.handle,
    commands.KeysGet: keys.get.handle,
    commands.Connect: connect.handle,
    commands.Refresh: refresh.handle,
    commands.Heartbeat: heartbeat.handle,
    commands.Watch: watch.handle,
    commands.Unwatch: unwatch.handle,
    commands.Status: status.handle,
    commands.PushRegister: push.register.handle,
    commands.PushUnregister: push.unregister.handle,
    commands.Ping: ping.handle,
    commands.Pong: ping.ignore,
    commands.CommandError: errors.handle,
}

BOUNDED = (
    *(commands.HistoryQuery, commands.Conversations, commands.Outcome),
    *(commands.GroupInfo, commands.GroupMembers, commands.Open, commands.Close),
    *(commands.Read, commands.Typing, commands.Block, commands.Unblock),
    *(commands.Watch, commands.Unwatch, commands.Status, commands.Heartbeat, commands.Refresh),
    *(commands.PushRegister, commands.PushUnregister),
    *(commands.KeysPut, commands.KeysGet),
)
"""Verbs that share one rate a connection; see `bounded` for the others."""
HANDLERS.update({kind: bounded(HANDLERS[kind]) for kind in BOUNDED})
