"""`ping` and `pong` in a spelling that the engine leaves to us: same result, and an id if given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hivewire.core.commands import Ping, Pong
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Ping, caller: Caller, services: Services) -> None:
    """Answer `pong`. The engine writes it, because only it knows the position of the line."""
    delivery = services.delivery
    delivery.now.append((delivery.ops.pong, caller.conn, command.id or 0))


def ignore(_command: Pong, _caller: Caller, _services: Services) -> None:
    """A pong is a sign of life; that it arrived was noted in the engine."""
