"""`ack`: this device holds everything up to here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.commands import Ack, Connect, Sync
from hivewire.core.delivered import note_early
from hivewire.core.entries import CursorEntry, Rejection
from hivewire.core.plan import plan_ack
from hivewire.handlers.errors import NOT_CONNECTED, refuse

if TYPE_CHECKING:
    from hivewire.core.commands import Command, CommandError
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Ack, caller: Caller, services: Services) -> None:
    """Move the device's cursor forward; `ok` only where an id asks for it."""
    refusal = move_cursor(command.seq, "seq", caller, services)
    if refusal is not None:
        refuse(refusal, command.id, "ack", caller, services)
        return
    services.metrics.commands["ack", "ok"] += 1
    if command.id is not None:
        services.delivery.answer(caller, {"op": "ok", "id": command.id})


def overtake(command: Command | CommandError, caller: Caller, services: Services) -> bool:
    """Note what a command acknowledges though another one of its connection is waited for.

    What is acknowledged is written within `store.cursor_delay`, however long the application thinks
    about the message before it. Only a `connect` is waited for: it decides where the cursor is.
    Returns whether that was all: a `sync` waits for its page like everything else.
    """
    if caller.user is None or type(caller.doing) is Connect:
        return False
    if type(command) is Ack:
        handle(command, caller, services)
        return True
    if type(command) is Sync:
        # If it is wrong, it is refused when its turn comes.
        move_cursor(command.after, "after", caller, services)
    return False


def move_cursor(seq: int, field: str, caller: Caller, services: Services) -> Rejection | None:
    """Acknowledge up to `seq` for the caller's device; a refusal if that is beyond the head (I6).

    The move is written within `store.cursor_delay`; until then it is only remembered.
    """
    user, device = caller.user, caller.device
    if user is None or device is None:
        return NOT_CONNECTED
    if caller.replaced or is_replaced(user, device, caller.conn, services):
        return None
    moved = plan_ack(seq, user, device, services.view, services.now_ms, field)
    if isinstance(moved, CursorEntry):
        services.view.cursors.note(moved)
        note_early(moved, services.view)
        services.move_cursor_soon()
        return None
    return moved


def is_replaced(user: str, device: str, conn: int, services: Services) -> bool:
    """Whether a newer connection of the device has taken over, or its cursor is decided already.

    From the plan of its `connect` on, acks of an older one would move what is being told (I6).
    """
    connected = services.connected.get(user)
    if connected is not None and connected.get(device, conn) != conn:
        return True
    coming = services.connecting.get(user)
    return coming is not None and any(name == device and newer != conn for name, newer in coming)
