"""`history`: events of a conversation, both ways, without gaps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core import events, history
from hivewire.core.entries import Rejection
from hivewire.core.limits import HISTORY_EVENTS
from hivewire.delivery import JSON
from hivewire.handlers.queries import ask, readable

if TYPE_CHECKING:
    from hivewire.core.commands import HistoryQuery
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services

ONE_WAY = Rejection("bad_request", "either `before` or `after`", "after")


def handle(command: HistoryQuery, caller: Caller, services: Services) -> None:
    """Answer with what is durable, in order of `n`."""
    ask(command, caller, services, partial(_answer, command, caller.encoding, services))


def _answer(
    command: HistoryQuery, encoding: int, services: Services, user: str
) -> dict[str, Any] | Rejection:
    log = readable(command.conv, user, services)
    if isinstance(log, Rejection):
        return log
    if command.before is not None and command.after is not None:
        return ONE_WAY
    store, limit = services.view.store, min(command.limit, HISTORY_EVENTS)
    if command.after is not None:
        found = history.after(store, log, command.after, limit)
    else:
        found = history.before(store, log, command.before, limit, tails=services.view.tails)
    shown = events.raw if encoding == JSON else events.decode
    items = [shown(item) for item in found.items]
    return {"op": "history", "id": command.id, "items": items, "done": found.done}
