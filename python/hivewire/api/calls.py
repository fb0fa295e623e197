"""Commands without a connection: the same handlers, the same promise, the answer into a future.

A call's `Caller` stands on a line with a number below zero, which no connection of the engine has.
`Calls.submit` sits between delivery and the engine: what is for such a line is the answer of a
call, and never reaches the engine. So what a call is told was durable before, as on a WebSocket.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hivewire.api.errors import ApiError
from hivewire.core.commands import CommandError, Sync
from hivewire.core.decode import decode_frame
from hivewire.core.limits import COMMAND_ID
from hivewire.core.unread import OutOfBudget
from hivewire.delivery import JSON, Caller
from hivewire.delivery.caller import SERVER
from hivewire.handlers import HANDLERS
from hivewire.handlers.bounded import bounded
from hivewire.handlers.queries import in_pieces
from hivewire.log import REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.delivery import Op, Ops
    from hivewire.delivery.delivery import Engine
    from hivewire.handlers import Services

    Act = Callable[[Callable[[], None]], None]

RUN: Final = HANDLERS | {Sync: bounded(HANDLERS[Sync])}
"""A page over HTTP has a rate too: nothing says that the one before was read."""
LINE: Final = (1 << 62) - 1
GONE: Final = ApiError("unavailable", "the node goes down", retryable=True)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_head = re.compile(rb'\{"op":"([^"]*)","id":(\d+)').match


class Call(Caller):
    """Who calls over HTTP, and with which request."""

    __slots__ = ("request",)

    def __init__(self, conn: int, user: str, device: str) -> None:
        super().__init__(conn, user, device, JSON, None)
        self.request = REQUEST.get()
        # Nobody reads from this line: nothing is kept until its outbox has drained.
        self.gone = True


def line_of(user: str) -> int:
    """The line of a user's calls: all of them share the limits of one connection.

    Two users meet on one line once in 2^62; then they share their limits and nothing else.
    """
    return SERVER - 1 - (hash(user) & LINE)


class Calls:
    """Calls under way. Loop thread only.

    Args:
        engine: Gets everything that is for connections.
        ops: The engine's numbers.
        heard: Told of the ops that go to the engine, for who waits for events.
    """

    services: Services
    act: Act

    def __init__(self, engine: Engine, ops: Ops, heard: Callable[[list[Op]], None]) -> None:
        self._engine = engine
        self._ops = ops
        self._heard = heard
        self._open: dict[int, asyncio.Future[bytes]] = {}
        self._ids = count(1)
        self._stopped = False
        self.draining = False
        """Whether the node goes down: then nothing new is taken."""

    def bind(self, services: Services, act: Act) -> None:
        """Say what calls run with; `act` does something between two turns of the node."""
        self.services = services
        self.act = act

    def submit(self, ops: list[Op]) -> int:
        """Hand ops to the engine, all but those that answer a call; its number of that."""
        if self._open:
            ops = [op for op in map(self._divert, ops) if op is not None]
        number = self._engine.submit(ops)
        self._heard(ops)
        return number

    # -- calls -----------------------------------------------------------------------------------

    async def run(self, op: str, fields: dict[str, Any], user: str, device: str) -> bytes:
        """Carry out a command of a user; its answer, a JSON object without `id`.

        Raises ApiError: refused, or not known to be done.
        """
        return await self._run(op, fields, Call(line_of(user), user, device))

    async def run_trusted(self, op: str, fields: dict[str, Any], user: str) -> bytes:
        """The same for who has the API key: no rates, and no `on_send`. Raises ApiError."""
        return await self._run(op, fields, Call(SERVER, user, "server"))

    async def _run(self, op: str, fields: dict[str, Any], caller: Call) -> bytes:
        if self._stopped:
            raise GONE
        command_id = next(self._ids)
        if command_id == COMMAND_ID:
            self._ids = count(1)
        # Through the bytes of the wire: what comes out is what a client could have said.
        (command,) = decode_frame(_encode({**fields, "op": op, "id": command_id}), JSON)
        if isinstance(command, CommandError):
            self.services.metrics.commands[op, command.code] += 1
            raise ApiError.of(command)
        caller.doing = command
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._open[command_id] = answered
        try:
            self.act(partial(RUN[type(command)], command, caller, self.services))
        except BaseException:
            self._open.pop(command_id, None)
            raise
        return without_id(await answered)

    async def read(self, look: Callable[[], Any], change: Callable[[], None] | None = None) -> Any:  # noqa: ANN401 - whatever `look` gives
        """What `look` finds once all that was written is durable. Raises what it raises.

        `change` comes before, in a turn of the node: what it puts into the journal is waited for.
        """
        if self._stopped:
            raise GONE
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        services = self.services

        def tell() -> None:
            if found.done():
                return
            try:
                result = look()
            except OutOfBudget:
                raise
            except Exception as error:  # noqa: BLE001 - it is the request's, not the journal's
                found.set_exception(error)
            else:
                found.set_result(result)

        def begin() -> None:
            if change is not None:
                change()
            services.delivery.marks()
            services.delivery.when_durable(partial(in_pieces, tell, services))

        self.act(begin)
        return await found

    def do(self, work: Callable[[], None]) -> None:
        """Do something of which nothing is written. Raises ApiError."""
        if self._stopped:
            raise GONE
        self.act(work)

    def refuse(self) -> None:
        """Take no more calls; those under way are answered."""
        self._stopped = self.draining = True

    def stop(self) -> None:
        """The node goes down, or another takes over: what was not answered is unknown."""
        self.refuse()
        waiting, self._open = self._open, {}
        for answered in waiting.values():
            if not answered.done():
                answered.set_exception(GONE)

    # -- answers ---------------------------------------------------------------------------------

    def _divert(self, op: Op) -> Op | None:
        """The op as the engine gets it; None if it was for a call alone."""
        ops, kind = self._ops, op[0]
        if kind == ops.events:
            if op[4] >= 0:
                return op
            self._settle(op[5])
            return (kind, *op[1:4], 0, None)
        if kind == ops.event:
            if op[5] >= 0:
                return op
            self._settle(op[6])
            return (kind, *op[1:5], 0, None)
        if not (isinstance(op[1], int) and op[1] < 0):
            return op
        if kind == ops.send:
            self._settle(op[2])
        elif kind == ops.page:
            self._settle(op[3])
        return None

    def _settle(self, payload: bytes) -> None:
        head = _head(payload)
        answered = None if head is None else self._open.pop(int(head[2]), None)
        if answered is not None and not answered.done():
            answered.set_result(payload)


def without_id(payload: bytes) -> bytes:
    """An answer as HTTP gives it: nobody has to match it with anything. Raises ApiError."""
    head = _head(payload)
    if head is None:
        raise ValueError(f"no answer: {payload[:64]!r}")
    if head[1] == b"error":
        raise ApiError.told(_decode(payload))
    return b'{"op":"%b"%b' % (head[1], payload[head.end() :])
