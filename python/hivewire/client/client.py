"""`Client`: a device of a user that stays connected, sends, and reads its timeline in order."""

from __future__ import annotations

import asyncio
import contextlib
import random
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Self

from hivewire.client.connection import JSON, Connection, Encoding
from hivewire.client.errors import Closed, CommandFailed, Disconnected
from hivewire.client.objects import Event, Sent, new_key
from hivewire.client.outgoing import Outgoing
from hivewire.client.session import PAGE_EVENTS, Loss, Session
from hivewire.client.silence import Silence

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

CONNECT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
# Full jitter: a random wait below a bound that doubles (seconds).
BACKOFF_FIRST: Final = 0.5
BACKOFF_MOST: Final = 30.0
# What was consumed is acknowledged after this many events or this long.
ACK_EVENTS: Final = 16
ACK_SECONDS: Final = 0.2

TICKET_REFUSED: Final = 4002
# protocol.md section 8: after these come back; 1005 is a Close frame without a code.
RETURN_CODES: Final = frozenset({1001, 1005, 1006, 1011, 1012, 1013, *range(4000, 4500)})


class Line(Enum):
    """How things stand with the server."""

    OFFLINE = "offline"
    ONLINE = "online"


class Client:
    """A device that stays connected until it is closed or refused.

    Use it as an async context manager and iterate over it: every event of the user's timeline comes
    once, in order, the own sends included. Asking for the next event acknowledges the one before.
    One task iterates; any number may send.

    Args:
        url: `ws://…/v1/ws` or `wss://…/v1/ws`.
        token: the user's token.
        device: this device's id; two programs must not share one.
        cursor: the last `seq` that this program has handled, to go on from there; None leaves it to
            the server, which knows what the device acknowledged last (a new device starts now).
        epoch: the data's incarnation that `cursor` belongs to (`client.epoch` of back then).
        from_start: a device that the server does not know begins with the whole timeline.
        encoding: JSON, or `hivewire.client.connection.MSGPACK`.
        on_line: called when the line comes or goes.
        on_loss: called when events will not come any more; load the state anew then.
        on_push: called with pushes that are no events (`typing`, `receipt`, …).
    """

    def __init__(  # noqa: PLR0913 - all but two are optional and named
        self,
        url: str,
        token: str,
        *,
        device: str = "python",
        cursor: int | None = None,
        epoch: str | None = None,
        from_start: bool = False,
        encoding: Encoding = JSON,
        on_line: Callable[[Line], None] | None = None,
        on_loss: Callable[[Loss], None] | None = None,
        on_push: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._url = url
        self.token = token
        self._ticket: str | None = None
        self._encoding = encoding
        self._on_line = on_line
        self._on_loss = on_loss
        self._on_push = on_push
        self._session = Session(device, cursor, epoch, from_start=from_start)
        self._outgoing = Outgoing(self._transmit)
        self._connection: Connection | None = None
        self._online = False
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._wake = asyncio.Event()
        self._bye: dict[str, Any] | None = None
        self._ack_timer: asyncio.TimerHandle | None = None
        self._sync_task: asyncio.Task[None] | None = None
        self._silence = Silence(self._ping, self._cut)

    async def __aenter__(self) -> Self:
        """Connect. Raises ConnectionError when nobody answers, Closed when refused."""
        connection = await self._connect()
        self._task = asyncio.create_task(self._stay(connection), name="hivewire client")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Acknowledge what was consumed, and close."""
        await self.close()

    async def close(self) -> None:
        """Acknowledge what was consumed, and close the line; sends without an answer fail."""
        self._acknowledge()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._end(Closed(1000, "the client was closed"))
        if self._connection is not None:
            self._connection.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._connection.wait_ended(), CLOSE_SECONDS)

    @property
    def user(self) -> str:
        """Who the server says we are."""
        return self._session.user

    @property
    def epoch(self) -> str | None:
        """The incarnation of the data; to be kept together with `cursor`."""
        return self._session.epoch

    @property
    def cursor(self) -> int:
        """The last `seq` the application is done with."""
        return self._session.consumed or 0

    @property
    def is_online(self) -> bool:
        """Whether there is a line to the server now."""
        return self._online

    @property
    def is_caught_up(self) -> bool:
        """Whether the line is live and the application has taken everything that arrived."""
        return self._online and self._session.is_caught_up

    async def send(
        self,
        to: str,
        *,
        text: str | None = None,
        data: dict[str, Any] | None = None,
        key: str | None = None,
    ) -> Sent:
        """Send a message and wait until it is on stable storage; survives any number of lines.

        Args:
            to: `user:ID` or a conversation's id.
            text: at most 16 KiB.
            data: an object of at most 16 KiB as JSON, for applications.
            key: makes a later send of the same message harmless; give your own if you keep it
                across restarts of the program.

        Raises:
            CommandFailed: the server refused it.
            Closed: the client ended first; whether it was sent is unknown, the key tells later.
        """
        command: dict[str, Any] = {"to": to, "key": key or new_key()}
        optional = {"text": text, "data": data}
        command |= {name: value for name, value in optional.items() if value is not None}
        if self._failure is not None:
            raise self._failure
        return await self._outgoing.send(command)

    async def refresh(self, token: str) -> None:
        """Go on with a newer token of the same user. Raises CommandFailed, Disconnected."""
        answer = await self._call({"op": "refresh", "token": token})
        self.token = token
        self._ticket = answer.get("ticket")

    def __aiter__(self) -> Self:
        """Events of the timeline, for ever."""
        return self

    async def __anext__(self) -> Event:
        """The next event; asking for it consumes the one before. Raises Closed at the end."""
        while True:
            event = self._session.take()
            self._acknowledge_soon()
            if event is not None:
                return event
            if self._failure is not None:
                raise self._failure
            self._catch_up()
            self._wake.clear()
            await self._wake.wait()

    async def _stay(self, connection: Connection) -> None:
        """Keep a line until the server says not to come back."""
        attempt = 0
        while True:
            code, reason = await connection.wait_ended()
            self._on_offline()
            if code == TICKET_REFUSED:
                self._ticket = None
            if code not in RETURN_CODES:
                self._end(Closed(code, reason))
                return
            while True:
                await asyncio.sleep(self._delay(attempt))
                attempt += 1
                try:
                    connection = await self._connect()
                except (OSError, Disconnected):
                    continue
                except (Closed, CommandFailed) as error:
                    self._end(error)
                    return
                attempt = 0
                break

    async def _connect(self) -> Connection:
        """Open a line and connect on it. Raises ConnectionError, Closed, CommandFailed."""
        connection = await Connection.open(self._url, self._encoding, self._on_object)
        self._connection = connection
        proof = {"ticket": self._ticket} if self._ticket else {"token": self.token}
        command = {"op": "connect", **proof, **self._session.connect_fields()}
        answering = asyncio.ensure_future(self._outgoing.call(command))
        ended = asyncio.ensure_future(connection.wait_ended())
        try:
            await asyncio.wait(
                (answering, ended), timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if answering.done():
                answering.result()
                return connection
            if not ended.done():
                raise ConnectionError(f"{self._url}: no answer to connect")
            self._refused(*ended.result())
        finally:
            ended.cancel()
            answering.cancel()
            if not self._online:
                connection.abort()
                self._outgoing.on_offline()
        raise ConnectionError(f"{self._url}: closed before connected")

    def _refused(self, code: int, reason: str) -> None:
        """The line ended instead of an answer: for good, or to be tried with the token."""
        if code not in RETURN_CODES:
            raise Closed(code, reason)
        if code == TICKET_REFUSED:
            self._ticket = None

    def _on_connected(self, answer: dict[str, Any]) -> None:
        self._ticket = answer.get("ticket")
        self._bye = None
        loss = self._session.on_connected(answer)
        self._online = True
        self._outgoing.window = answer["limits"]["sends_in_flight"]
        self._outgoing.flush()
        self._silence.start(answer["heartbeat"])
        self._wake.set()
        self._tell(loss)
        if self._on_line is not None:
            self._on_line(Line.ONLINE)

    def _on_offline(self) -> None:
        self._online = False
        self._silence.stop()
        self._session.on_offline()
        self._outgoing.on_offline()
        if self._on_line is not None:
            self._on_line(Line.OFFLINE)

    def _end(self, error: Exception) -> None:
        """Nothing will come any more."""
        self._failure = self._failure or error
        self._online = False
        self._silence.stop()
        if self._ack_timer is not None:
            self._ack_timer.cancel()
        self._outgoing.fail(error)
        self._wake.set()

    def _delay(self, attempt: int) -> float:
        """Seconds until the next try: the server's slot for us if it gave one, else jitter."""
        bye, self._bye = self._bye, None
        if bye is not None and bye.get("reconnect"):
            return bye.get("delay_ms", 0) / 1000
        return random.uniform(0, min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** min(attempt, 10)))  # noqa: S311

    def _on_object(self, message: dict[str, Any]) -> None:
        """One object from the server: an answer or a push."""
        self._silence.heard()
        op = message.get("op")
        if "id" in message:
            self._on_answer(message)
        elif op == "event":
            self._session.on_event({k: v for k, v in message.items() if k != "op"})
        elif op in ("ping", "pong"):
            if op == "ping":
                self._transmit({"op": "pong"})
            self._session.on_head(message.get("head", 0))
        elif op == "bye":
            self._bye = message
            self._url = message.get("url") or self._url
        elif self._on_push is not None:
            self._on_push(message)
        self._wake.set()

    def _on_answer(self, answer: dict[str, Any]) -> None:
        """Answers that move the session count at once: what follows them builds on it."""
        if answer["op"] == "connected":
            self._on_connected(answer)
        elif answer["op"] == "page":
            self._tell(self._session.on_page(answer))
        settled = self._outgoing.on_answer(answer)
        if settled is not None:
            self._session.on_sent(*settled)

    def _catch_up(self) -> None:
        """Ask for the next page when there is something behind and nothing in hand."""
        if self._online and self._session.wants_page:
            self._session.syncing = True
            self._session.acked = self._session.seen
            self._sync_task = asyncio.create_task(self._sync(self._session.seen))

    async def _sync(self, after: int) -> None:
        try:
            await self._outgoing.call({"op": "sync", "after": after, "limit": PAGE_EVENTS})
        except Disconnected:
            pass  # the next line starts with a page
        except CommandFailed as error:
            self._end(error)

    async def _call(self, command: dict[str, Any]) -> dict[str, Any]:
        if not self._online:
            raise Disconnected("not online")
        return await self._outgoing.call(command)

    def _tell(self, loss: Loss | None) -> None:
        if loss is not None and self._on_loss is not None:
            self._on_loss(loss)

    def _acknowledge_soon(self) -> None:
        """Acknowledge now when enough was consumed, else in a moment."""
        behind = self.cursor - self._session.acked
        if behind >= ACK_EVENTS:
            self._acknowledge()
        elif behind > 0 and self._ack_timer is None:
            loop = asyncio.get_running_loop()
            self._ack_timer = loop.call_later(ACK_SECONDS, self._acknowledge)

    def _acknowledge(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        if self._online and self.cursor > self._session.acked:
            self._session.acked = self.cursor
            self._transmit({"op": "ack", "seq": self.cursor})

    def _ping(self) -> None:
        self._transmit({"op": "ping"})

    def _cut(self) -> None:
        """The line is dead: end it here, so that a new one is tried."""
        if self._connection is not None:
            self._connection.abort()

    def _transmit(self, message: dict[str, Any]) -> None:
        if self._connection is not None:
            self._connection.send(message)
