"""Commands that wait for their answer, over as many lines as that takes.

Nearly every command may be given twice without harm: a change has a key, by which the server tells
whether it has it already (protocol.md section 4), and a question changes nothing. Such a command
lives until it is answered; a change lives in the store, too, if there is one, and is on the disk
before it goes out. The few that are about a line, such as `connect` and `sync`, fail with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from hivewire.client.errors import CommandFailed, Discarded, Disconnected
from hivewire.client.following import Status
from hivewire.client.lanes import Lanes, Pending, lane_of
from hivewire.client.store import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hivewire.client.writer import Writer

MAX_ID: Final = (1 << 32) - 1
# What is refused but retryable without a time of its own waits this long.
RETRY_SECONDS: Final = 1.0
RETRYABLE: Final = ("rate_limited", "unavailable")


class Outgoing:
    """Everything this client has asked and not been told.

    `window` is how many of the lasting commands the server takes before it has answered; 0 while
    there is no line. `me` is the own user id, empty until it is known.

    Args:
        transmit: writes one object to the line; only called while there is one.
        writer: keeps changes in the store.
        on_status: called when a change is taken on, answered or refused.
    """

    def __init__(
        self,
        transmit: Callable[[dict[str, Any]], None],
        writer: Writer,
        on_status: Callable[[Status], None],
    ) -> None:
        self._transmit = transmit
        self._writer = writer
        self._on_status = on_status
        # In the order in which they were asked; a set with an order.
        self._pending: dict[Pending, None] = {}
        self._by_key: dict[tuple[str, str], Pending] = {}
        self._lanes = Lanes()
        self._in_flight: dict[int, Pending] = {}
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._last_order = 0
        self.window = 0
        self.me = ""

    def restore(self, rows: Mapping[str, dict[str, Any]]) -> None:
        """Take over what an earlier run has left in the store."""
        for row, command in rows.items():
            self._last_order = int(row) - 1
            pending = self._make(command)
            pending.row = row
            self._lanes.put(pending)

    async def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Wait for the answer to a command, over any number of lines.

        Raises:
            CommandFailed: the server refused it for good.
            Closed: the client ended first; what is in the store goes out with the next one.
        """
        pending = self._join(command)
        pending.waiters += 1
        try:
            return await asyncio.shield(pending.answer)
        finally:
            pending.waiters -= 1
            # Who gave up waiting leaves the id behind: the answer still fills its place in order.
            # What is in the store was taken on, and goes out whoever waits.
            if not pending.waiters and pending.row is None:
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
        """Put out what may go, as far as the window allows."""
        while len(self._in_flight) < self.window:
            pending = self._lanes.take()
            if pending is None:
                return
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
        pending.id = None
        self._settle(pending, answer)
        self.flush()
        return pending.command

    def on_offline(self) -> None:
        """The line is gone: what lasts waits for the next one, everything else fails."""
        self.window = 0
        gone = [pending for pending in self._in_flight.values() if pending.over]
        for pending in self._in_flight.values():
            pending.id = None
        self._in_flight.clear()
        for pending in gone:
            self._lanes.remove(pending)
        self._lanes.restart()
        for call in self._calls.values():
            if not call.done():
                call.set_exception(Disconnected("the line ended before the answer came"))

    def fail(self, error: Exception) -> None:
        """Nothing will come any more: everybody who waits gets `error`."""
        self.on_offline()
        for pending in list(self._pending):
            pending.over = True
            if pending.waiters and not pending.answer.done():
                pending.answer.set_exception(error)
        self._pending.clear()
        self._by_key.clear()
        self._lanes.clear()

    def pending(self) -> list[Status]:
        """Changes that have no answer yet, oldest first."""
        return [_status(one) for one in self._pending if "key" in one.command]

    def discard(self, key: str) -> bool:
        """Give up a change that is on no line; tells whether it was given up."""
        for pending in self._pending:
            if pending.command.get("key") == key and pending.id is None:
                self._refuse(pending, Discarded("given up before it went out"))
                return True
        return False

    def _join(self, command: dict[str, Any]) -> Pending:
        """The pending command of the same key and content, or a new one."""
        known = self._by_key.get(_name(command))
        if known is not None and known.command == command:
            return known
        pending = self._make(command)
        if not _is_change(command):
            self._queue(pending)
            return pending
        if self._writer.durable:
            pending.row = f"{pending.order:016}"
        changes = [Change("outbox", pending.row or "", command)]
        self._writer.write(changes, lambda: self._take_on(pending))
        return pending

    def _make(self, command: dict[str, Any]) -> Pending:
        self._last_order += 1
        lane = lane_of(command, self.me, self._last_order)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        pending = Pending(command, self._last_order, lane, answer)
        self._pending[pending] = None
        if _is_change(command):
            self._by_key.setdefault(_name(command), pending)
        return pending

    def _take_on(self, pending: Pending) -> None:
        """The store has it: from now on it will be sent whatever happens here."""
        if not pending.over:
            self._on_status(_status(pending))
            self._queue(pending)

    def _queue(self, pending: Pending) -> None:
        if not pending.over:
            self._lanes.put(pending)
            self.flush()

    def _forget(self, pending: Pending) -> None:
        """It is over; while it is on the line its lane waits for the answer all the same."""
        pending.over = True
        self._pending.pop(pending, None)
        name = _name(pending.command)
        if self._by_key.get(name) is pending:
            del self._by_key[name]
        if pending.id is None:
            self._lanes.remove(pending)

    def _settle(self, pending: Pending, answer: dict[str, Any]) -> None:
        if answer["op"] == "error":
            failure = CommandFailed(answer)
            if failure.retryable and failure.code in RETRYABLE and not pending.over:
                self._retry(pending, failure.retry_after_ms)
            else:
                self._refuse(pending, failure)
            return
        self._forget(pending)
        self._clear_row(pending)
        if _is_change(pending.command):
            self._on_status(_status(pending, answer))
        if pending.waiters:
            _resolve(pending.answer, answer)

    def _refuse(self, pending: Pending, error: Exception) -> None:
        self._forget(pending)
        self._clear_row(pending)
        if _is_change(pending.command):
            key = pending.command["key"]
            self._on_status(Status(key=key, state="failed", command=pending.command, error=error))
        if pending.waiters and not pending.answer.done():
            pending.answer.set_exception(error)

    def _clear_row(self, pending: Pending) -> None:
        if pending.row is not None:
            self._writer.write([Change("outbox", pending.row)])

    def _retry(self, pending: Pending, after_ms: int | None) -> None:
        delay = RETRY_SECONDS if after_ms is None else after_ms / 1000
        pending.held = True
        # A little later than asked for, so that the server's clock has passed it for sure.
        asyncio.get_running_loop().call_later(delay + 0.01, self._again, pending)

    def _again(self, pending: Pending) -> None:
        """The time has come to which the server had put it off."""
        pending.held = False
        self._lanes.release(pending)
        self.flush()

    def _next_id(self) -> int:
        self._last_id = self._last_id % MAX_ID + 1
        return self._last_id


def _is_change(command: dict[str, Any]) -> bool:
    """Whether it has a key of its own: `outcome` names that of another."""
    return "key" in command and command["op"] != "outcome"


def _name(command: dict[str, Any]) -> tuple[str, str]:
    return command["op"], command.get("key", "")


def _status(pending: Pending, answer: dict[str, Any] | None = None) -> Status:
    command = pending.command
    if answer is None:
        return Status(key=command["key"], state="sending", command=command)
    place = {"conv": answer.get("conv"), "n": answer.get("n")}
    return Status(key=command["key"], state="sent", command=command, **place)


def _resolve(future: asyncio.Future[dict[str, Any]], answer: dict[str, Any]) -> None:
    if future.done():
        return
    if answer["op"] == "error":
        future.set_exception(CommandFailed(answer))
    else:
        future.set_result(answer)
