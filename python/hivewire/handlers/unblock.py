"""`unblock`: somebody's direct messages are taken again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.handlers.block import set_block

if TYPE_CHECKING:
    from hivewire.core.commands import Unblock
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Unblock, caller: Caller, services: Services) -> None:
    """Answer `ok` when it is durable."""
    set_block(command, caller, services, on=False)
