"""`close`: this connection no longer wants every event of a channel, only its heads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hivewire.delivery.heads import heads_topic, open_topic
from hivewire.handlers.open import switch_topic
from hivewire.handlers.queries import ask

if TYPE_CHECKING:
    from hivewire.core.commands import Close
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: Close, caller: Caller, services: Services) -> None:
    """Answer `ok` with the head; what comes behind it is told as `channel`."""
    switch = open_topic(command.conv), heads_topic(command.conv)
    ask(command, caller, services, partial(switch_topic, command, caller, services, switch))
