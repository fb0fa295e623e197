"""Messages of the application itself: planned, stored and delivered like a client's."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from hivewire.core.checks import check
from hivewire.core.commands import CommandError, Edit, Send
from hivewire.core.entries import Duplicate, Pending, Rejection, SendEntry
from hivewire.core.names import is_name
from hivewire.core.plan import plan_send
from hivewire.delivery import JSON, Caller
from hivewire.hooks.values import NotSent, Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.delivery import Delivery
    from hivewire.hooks.application import Sender

DEVICE: Final = "app"
"""The device that entries of the application name."""
NO_CONNECTION: Final = 0
COMMAND_ID: Final = 1
BEHIND: Final = NotSent("unavailable", "too much waits for the disk", retryable=True)

Command = TypeVar("Command", Send, Edit)
_encode = msgspec.json.Encoder().encode


class NodeSender:
    """What `App.send` comes to on a node.

    Args:
        delivery: Where entries go.
        act: Does something between two turns of the node.
        now_ms: The wall clock as `act` has read it.
    """

    def __init__(
        self,
        delivery: Delivery,
        act: Callable[[Callable[[], None]], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._delivery = delivery
        self._act = act
        self._now_ms = now_ms
        self._waiting: set[asyncio.Future[Sent]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether no message waits for the disk."""
        return not self._waiting

    async def send(self, sender: str, to: str, key: str | None, body: dict[str, Any]) -> Sent:
        """Store a message; return when it is durable. Raises NotSent."""
        if not is_name(sender):
            raise NotSent("bad_request", "the sender is no user id", field="from")
        key = secrets.token_hex(16) if key is None else key
        command = checked(Send, {"id": COMMAND_ID, "to": to, "key": key, **body})
        if isinstance(command, CommandError):
            raise NotSent(command.code, command.message, field=command.field)
        future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        self._act(partial(self._plan, command, sender, future))
        return await future

    def stop(self) -> None:
        """The node goes down: what is not durable stays unknown."""
        for future in list(self._waiting):
            future.cancel()

    def _plan(self, command: Send, sender: str, future: asyncio.Future[Sent]) -> None:
        delivery = self._delivery
        planned = plan_send(command, sender, DEVICE, delivery.view, self._now_ms())
        if isinstance(planned, SendEntry):
            if delivery.journal.is_full:
                future.set_exception(BEHIND)
                return
            delivery.send(planned, COMMAND_ID, Caller(NO_CONNECTION, sender, DEVICE, JSON, None))
        outcome = planned.outcome if isinstance(planned, Pending) else planned
        if isinstance(outcome, Rejection):
            settle = partial(_refuse, future, outcome)
        else:
            settle = partial(_answer, future, outcome, command.key)
        if isinstance(planned, Rejection):
            settle()
        else:
            delivery.when_durable(settle)


class SenderToBe:
    """Stands in while one node takes over from another: what is sent waits for the next one."""

    def __init__(self) -> None:
        self._next: asyncio.Future[Sender] = asyncio.get_running_loop().create_future()

    def become(self, sender: Sender) -> None:
        """The next node is there."""
        self._next.set_result(sender)

    async def send(self, sender: str, to: str, key: str | None, body: dict[str, Any]) -> Sent:
        """Store a message; return when it is durable. Raises NotSent."""
        node = await asyncio.shield(self._next)
        return await node.send(sender, to, key, body)


def checked(kind: type[Command], fields: dict[str, Any]) -> Command | CommandError:
    """A command of the application's own making, held to what a client's is held to."""
    op = str(kind.__struct_config__.tag)
    try:
        # Through the bytes of the wire: what comes out is what a client could have said.
        command = msgspec.json.decode(_encode({"op": op, **fields}), type=kind)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        return CommandError(COMMAND_ID, "bad_request", str(error), None, op)
    problem = check(command)
    return problem if isinstance(problem, CommandError) else command


def _answer(future: asyncio.Future[Sent], places: SendEntry | Duplicate, key: str) -> None:
    if future.done():
        return
    dup = isinstance(places, Duplicate)
    seq = places.seq or None
    sent = Sent(conv=places.conv, n=places.n, seq=seq, ts=places.ts, dup=dup, key=key)
    future.set_result(sent)


def _refuse(future: asyncio.Future[Sent], rejection: Rejection) -> None:
    if future.done():
        return
    code, reason = rejection.code, rejection.message
    future.set_exception(
        NotSent(code, reason, field=rejection.field, retryable=rejection.retryable)
    )
