"""Commands that wait for their answer, and the order in which they go out.

Nearly every command may be given twice without harm: a change has a key, by which the server tells
whether it has it already (protocol.md section 4), and a question changes nothing. Such a command
lives until it is answered, over as many lines as that takes. The few that are about a line, such as
`connect` and `sync`, fail with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from hivewire.client.errors import CommandFailed, Disconnected

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ID: Final = (1 << 32) - 1
# What is refused but retryable without a time of its own waits this long.
RETRY_SECONDS: Final = 1.0
RETRYABLE: Final = ("rate_limited", "unavailable")


class Pending:
    """A command that has no answer yet; `id` is None while it is on no line."""

    __slots__ = ("answer", "command", "id", "not_before", "waiters")

    def __init__(self, command: dict[str, Any]) -> None:
        self.command = command
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.id: int | None = None
        self.not_before = 0.0
        self.waiters = 0


class Outgoing:
    """Everything this client has asked and not been told.

    `window` is how many of the lasting commands the server takes before it has answered; 0 while
    there is no line.

    Args:
        transmit: writes one object to the line; only called while there is one.
    """

    def __init__(self, transmit: Callable[[dict[str, Any]], None]) -> None:
        self._transmit = transmit
        # In the order in which they were asked; a set with an order.
        self._pending: dict[Pending, None] = {}
        self._by_key: dict[tuple[str, str], Pending] = {}
        self._queue: deque[Pending] = deque()
        self._in_flight: dict[int, Pending] = {}
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self.window = 0

    async def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Wait for the answer to a command, over any number of lines.

        Raises:
            CommandFailed: the server refused it for good.
            Closed: the client ended first.
        """
        pending = self._join(command)
        pending.waiters += 1
        try:
            return await asyncio.shield(pending.answer)
        finally:
            pending.waiters -= 1
            # Who gave up waiting leaves the id behind: the answer still fills its place in order.
            if not pending.waiters:
                self._forget(pending)

    async def call(self, command: dict[str, Any]) -> dict[str, Any]:
        """Wait for the answer to a command of this line. Raises CommandFailed, Disconnected."""
        command_id = self._next_id()
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[command_id] = future
        self._transmit({"op": command["op"], "id": command_id, **command})
        try:
            return await future
        finally:
            self._calls.pop(command_id, None)

    def flush(self) -> None:
        """Put out what waits, oldest first, as far as the window allows."""
        while self._queue and len(self._in_flight) < self.window:
            pending = self._queue.popleft()
            if pending not in self._pending:
                continue
            pending.id = self._next_id()
            self._in_flight[pending.id] = pending
            self._transmit({"op": pending.command["op"], "id": pending.id, **pending.command})

    def on_answer(self, answer: dict[str, Any]) -> dict[str, Any] | None:
        """Give an answer to who waits for it; gives the command if it was a lasting one."""
        call = self._calls.pop(answer["id"], None)
        if call is not None:
            _resolve(call, answer)
            return None
        pending = self._in_flight.pop(answer["id"], None)
        if pending is None:
            return None
        self._settle(pending, answer)
        self.flush()
        return pending.command

    def on_offline(self) -> None:
        """The line is gone: what lasts waits for the next one, everything else fails."""
        self.window = 0
        self._in_flight.clear()
        now = asyncio.get_running_loop().time()
        for pending in self._pending:
            pending.id = None
        # What was told to come later comes by its timer.
        self._queue = deque(p for p in self._pending if p.not_before <= now)
        for call in self._calls.values():
            if not call.done():
                call.set_exception(Disconnected("the line ended before the answer came"))

    def fail(self, error: Exception) -> None:
        """Nothing will come any more: everybody who waits gets `error`."""
        self.on_offline()
        for pending in list(self._pending):
            self._forget(pending)
            if pending.waiters and not pending.answer.done():
                pending.answer.set_exception(error)

    def _join(self, command: dict[str, Any]) -> Pending:
        """The pending command of the same key and content, or a new one."""
        known = self._by_key.get(_name(command))
        if known is not None and known.command == command:
            return known
        pending = Pending(command)
        self._pending[pending] = None
        if "key" in command:
            self._by_key.setdefault(_name(command), pending)
        self._queue.append(pending)
        self.flush()
        return pending

    def _forget(self, pending: Pending) -> None:
        self._pending.pop(pending, None)
        name = _name(pending.command)
        if self._by_key.get(name) is pending:
            del self._by_key[name]

    def _settle(self, pending: Pending, answer: dict[str, Any]) -> None:
        if answer["op"] == "error" and pending in self._pending:
            failure = CommandFailed(answer)
            if failure.retryable and failure.code in RETRYABLE:
                self._retry(pending, failure.retry_after_ms)
                return
        self._forget(pending)
        if pending.waiters:
            _resolve(pending.answer, answer)

    def _retry(self, pending: Pending, after_ms: int | None) -> None:
        loop = asyncio.get_running_loop()
        delay = RETRY_SECONDS if after_ms is None else after_ms / 1000
        pending.id = None
        pending.not_before = loop.time() + delay
        # A little later than asked for, so that the clock has passed `not_before` for sure.
        loop.call_later(delay + 0.01, self._again, pending)

    def _again(self, pending: Pending) -> None:
        """The time has come to which the server had put it off."""
        if pending.id is None and pending not in self._queue:
            self._queue.append(pending)
        self.flush()

    def _next_id(self) -> int:
        self._last_id = self._last_id % MAX_ID + 1
        return self._last_id


def _name(command: dict[str, Any]) -> tuple[str, str]:
    return command["op"], command.get("key", "")


def _resolve(future: asyncio.Future[dict[str, Any]], answer: dict[str, Any]) -> None:
    if future.done():
        return
    if answer["op"] == "error":
        future.set_exception(CommandFailed(answer))
    else:
        future.set_result(answer)
