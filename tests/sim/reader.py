"""After healing: one device of a user reads its conversations from end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.history import Event, HistoryRead, Listed, Unread

if TYPE_CHECKING:
    from tests.sim.device import Device, Message

LIMIT = 7
"""Events in one answer: so few that there are seams."""


class Reader:
    """The list of conversations, then the history of each, forwards page by page."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.done = False
        self._left: list[str] = []
        self._events: list[Event] = []

    def begin(self) -> None:
        self.device.ask(self._hear_list, "conversations", limit=100, messages=3)

    def _hear_list(self, message: Message) -> None:
        device = self.device
        self._left = [item["conv"] for item in message["items"]]
        device.write(Listed(*device.stamp(), tuple(self._left)))
        for item in message["items"]:
            told = item["conv"], item["read"], item["unread"]
            device.write(Unread(*device.stamp(), *told))
        self._next()

    def _next(self) -> None:
        if not self._left:
            self.done = True
            return
        self._events = []
        self._ask(0)

    def _ask(self, after: int) -> None:
        conv = self._left[0]
        self.device.ask(self._hear_history, "history", conv=conv, after=after, limit=LIMIT)

    def _hear_history(self, message: Message) -> None:
        self._events += map(Event.of, message["items"])
        if not message["done"]:
            self._ask(self._events[-1].n)
            return
        device, conv = self.device, self._left.pop(0)
        device.write(HistoryRead(*device.stamp(), conv, tuple(self._events), final=True))
        self._next()
