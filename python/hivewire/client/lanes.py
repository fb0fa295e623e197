"""Which command goes out next, without any I/O: of each conversation one change at a time.

The server takes a connection's changes in their order, but one that it puts off (too fast, not
available) does not hold back those behind it. Who has said A and then B wants them in that order,
so B waits until A is over; other conversations do not wait for either.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

_DIRECT: Final = "direct:"


class Pending:
    """A command that has no answer yet.

    Attributes:
        command: as it goes on the wire, without `id`.
        order: rises with every command that was asked.
        lane: commands of the same lane go one after the other.
        answer: resolved with what the server says.
        row: its name in the store's outbox; None for what is not kept.
        id: its id on the present line, None while it is on none.
        held: the server has put it off, its lane waits.
        over: answered, refused or given up.
        waiters: how many wait for the answer.
    """

    __slots__ = ("answer", "command", "held", "id", "lane", "order", "over", "row", "waiters")

    def __init__(
        self, command: dict[str, Any], order: int, lane: str, answer: asyncio.Future[dict[str, Any]]
    ) -> None:
        self.command = command
        self.order = order
        self.lane = lane
        self.answer = answer
        self.row: str | None = None
        self.id: int | None = None
        self.held = self.over = False
        self.waiters = 0


class Lanes:
    """Commands that wait to go out, and which of them may."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Pending]] = {}
        # Lanes whose first may go now. A set with an order.
        self._ready: dict[str, None] = {}

    def put(self, pending: Pending) -> None:
        """One more, behind those of its lane."""
        lane = self._lanes.get(pending.lane)
        if lane is None:
            self._lanes[pending.lane] = deque((pending,))
            self._ready[pending.lane] = None
        else:
            lane.append(pending)

    def take(self) -> Pending | None:
        """The next one to go out, None if all wait."""
        if not self._ready:
            return None
        name = next(iter(self._ready))
        del self._ready[name]
        return self._lanes[name][0]

    def release(self, pending: Pending) -> None:
        """What was put off may go now."""
        if not pending.over:
            self._ready[pending.lane] = None

    def remove(self, pending: Pending) -> None:
        """It is over: the next of its lane may go."""
        lane = self._lanes.get(pending.lane)
        if lane is None or pending not in lane:
            return
        was_first = lane[0] is pending
        lane.remove(pending)
        if not lane:
            del self._lanes[pending.lane]
            self._ready.pop(pending.lane, None)
        elif was_first:
            self._ready[pending.lane] = None

    def restart(self) -> None:
        """The line is gone: the first of each lane goes again, oldest first, but what is held."""
        firsts = sorted((lane[0] for lane in self._lanes.values()), key=lambda one: one.order)
        self._ready = {one.lane: None for one in firsts if not one.held}

    def clear(self) -> None:
        """Nothing goes any more."""
        self._lanes.clear()
        self._ready.clear()


def lane_of(command: dict[str, Any], me: str, order: int) -> str:
    """The lane of a command.

    Args:
        command: the command; what has no key is a question and waits for nothing.
        me: the own user id, so that both names of a direct chat are one lane.
        order: makes a lane of its own.
    """
    if "key" not in command or command["op"] == "outcome":
        return f"question {order}"
    conv = command.get("to") or command.get("conv")
    if conv is None:
        group = command.get("group")
        return f"{command.get('kind')}:{group}" if group else f"key {order}"
    if not conv.startswith(_DIRECT):
        return conv
    users = conv.removeprefix(_DIRECT).split(",")
    return "user:" + next((user for user in users if user != me), me)
