"""`keys.get`: what one needs to encrypt for the devices of a user."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core import events
from hivewire.core.access import read_keys
from hivewire.delivery import JSON
from hivewire.handlers.queries import ask

if TYPE_CHECKING:
    from hivewire.core.commands import KeysGet
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def handle(command: KeysGet, caller: Caller, services: Services) -> None:
    """Answer with the keys that are durable. They are public: anybody who is connected may ask."""
    ask(command, caller, services, partial(_answer, command, caller.encoding, services))


def _answer(command: KeysGet, encoding: int, services: Services, _user: str) -> dict[str, Any]:
    shown = events.raw if encoding == JSON else events.decode
    devices = read_keys(services.view.store, command.user, shown)
    return {"op": "keys", "id": command.id, "user": command.user, "devices": devices}
