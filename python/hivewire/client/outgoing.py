"""Commands that wait for their answer, and the order in which they go out.

A send keeps its key until it is answered, over as many lines as that takes: after a reconnect it
goes out again, and the server tells by the key whether it has it already (protocol.md section 4).
Other commands belong to one line and fail with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from hivewire.client.errors import CommandFailed, Disconnected
from hivewire.client.objects import Sent

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ID: Final = (1 << 32) - 1
# What is refused but retryable without a time of its own waits this long.
RETRY_SECONDS: Final = 1.0
RETRYABLE: Final = ("rate_limited", "unavailable")


class PendingSend:
    """A send that has no answer yet; `id` is None while it is on no line."""

    __slots__ = ("answer", "command", "id", "not_before")

    def __init__(self, command: dict[str, Any], answer: asyncio.Future[Sent]) -> None:
        self.command = command
        self.answer = answer
        self.id: int | None = None
        self.not_before = 0.0


class Outgoing:
    """Everything this client has asked and not been told.

    Args:
        transmit: writes one object to the line; only called while `open`.
    """

    def __init__(self, transmit: Callable[[dict[str, Any]], None]) -> None:
        self._transmit = transmit
        self._sends: dict[str, PendingSend] = {}
        self._sent_ids: dict[int, PendingSend] = {}
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self.window = 0

    async def send(self, command: dict[str, Any]) -> Sent:
        """Wait for the `sent` of a send. Raises CommandFailed, or Closed when the client ends."""
        key: str = command["key"]
        if key in self._sends:
            return await asyncio.shield(self._sends[key].answer)
        pending = PendingSend(command, asyncio.get_running_loop().create_future())
        self._sends[key] = pending
        self.flush()
        try:
            return await pending.answer
        finally:
            # Who gave up waiting leaves the id behind: the answer still fills its place in order.
            if self._sends.get(key) is pending:
                del self._sends[key]

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
        """Put out what waits, oldest first, as far as the window and refusals allow."""
        now = asyncio.get_running_loop().time()
        for pending in list(self._sends.values()):
            if len(self._sent_ids) >= self.window:
                return
            if pending.id is None and pending.not_before <= now:
                pending.id = self._next_id()
                self._sent_ids[pending.id] = pending
                self._transmit({"op": "send", "id": pending.id, **pending.command})

    def on_answer(self, answer: dict[str, Any]) -> tuple[Sent, dict[str, Any]] | None:
        """Give an answer to who waits for it; a `sent` comes back with its command."""
        call = self._calls.pop(answer["id"], None)
        if call is not None and not call.done():
            if answer["op"] == "error":
                call.set_exception(CommandFailed(answer))
            else:
                call.set_result(answer)
            return None
        pending = self._sent_ids.pop(answer["id"], None)
        if pending is None:
            return None
        settled = self._settle(pending, answer)
        self.flush()
        return settled

    def on_offline(self) -> None:
        """The line is gone: sends wait for the next one, everything else fails."""
        self.window = 0
        self._sent_ids.clear()
        for pending in self._sends.values():
            pending.id = None
        for call in self._calls.values():
            if not call.done():
                call.set_exception(Disconnected("the line ended before the answer came"))

    def fail(self, error: Exception) -> None:
        """Nothing will come any more: everybody who waits gets `error`."""
        self.on_offline()
        for pending in self._sends.values():
            if not pending.answer.done():
                pending.answer.set_exception(error)

    def _settle(
        self, pending: PendingSend, answer: dict[str, Any]
    ) -> tuple[Sent, dict[str, Any]] | None:
        failure = CommandFailed(answer) if answer["op"] == "error" else None
        if failure is not None and failure.retryable and failure.code in RETRYABLE:
            self._retry(pending, failure.retry_after_ms)
            return None
        key: str = pending.command["key"]
        self._sends.pop(key, None)
        sent = Sent.of(answer, key) if failure is None else None
        if not pending.answer.done():
            if sent is not None:
                pending.answer.set_result(sent)
            elif failure is not None:
                pending.answer.set_exception(failure)
        return (sent, pending.command) if sent is not None else None

    def _retry(self, pending: PendingSend, after_ms: int | None) -> None:
        loop = asyncio.get_running_loop()
        delay = RETRY_SECONDS if after_ms is None else after_ms / 1000
        pending.id = None
        pending.not_before = loop.time() + delay
        # A little later than asked for, so that the clock has passed `not_before` for sure.
        loop.call_later(delay + 0.01, self.flush)

    def _next_id(self) -> int:
        self._last_id = self._last_id % MAX_ID + 1
        return self._last_id
