"""`Client`: a device of a user that stays connected, asks, and reads its timeline in order."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import msgspec

from hivewire.client.connection import JSON, Connection, Encoding
from hivewire.client.errors import Closed, CommandFailed, Disconnected
from hivewire.client.following import Following
from hivewire.client.keeping import Keeping
from hivewire.client.lines import Lines
from hivewire.client.objects import Event, Sent
from hivewire.client.outgoing import RETRY_SECONDS, Outgoing
from hivewire.client.pushes import Push, PushReader, Receipt, push_of
from hivewire.client.reading import Reading
from hivewire.client.renewal import Renewal
from hivewire.client.results import Conversation, Conversations, Heartbeat
from hivewire.client.session import Loss, Session
from hivewire.client.silence import Silence
from hivewire.client.standing import Standing
from hivewire.client.verbs import (
    ConversationVerbs,
    DeviceVerbs,
    GroupVerbs,
    MessageVerbs,
    PeopleVerbs,
)
from hivewire.client.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from ssl import SSLContext
    from types import TracebackType

    from hivewire.client.adaptive import Adaptive
    from hivewire.client.following import Status
    from hivewire.client.store import Store


class Line(Enum):
    """How things stand with the server."""

    OFFLINE = "offline"
    ONLINE = "online"


class Recent(NamedTuple):
    """So many of the newest conversations, with so many of the newest events each."""

    conversations: int = 5
    messages: int = 15


class Client(MessageVerbs, ConversationVerbs, GroupVerbs, PeopleVerbs, DeviceVerbs):
    """A device that stays connected until it is closed or refused.

    Use it as an async context manager and iterate over it: every event of the user's timeline comes
    once, in order, the own sends included. Asking for the next event acknowledges the one before.
    One task iterates; any number may ask and send.

    Args:
        url: `ws://…/v1/ws` or `wss://…/v1/ws`.
        token: the user's token, or an async function that fetches a fresh one: it is called for the
            first line, before it ends, and whenever the server wants a new one. OSError means: try
            again later.
        device: this device's id; two programs must not share one.
        cursor: the last `seq` that this program has handled, to go on from there; None leaves it to
            the server, which knows what the device acknowledged last (a new device starts now).
        epoch: the data's incarnation that `cursor` belongs to (`client.epoch` of back then).
        store: keeps the place in the timeline, unanswered changes and what `keep` is given, over
            restarts; its place goes before `cursor` and `epoch`.
        begin_offline: do not wait for a line, and do not fail without one: go on trying.
        from_start: a device that has nothing in its store, without a store one that the server does
            not know, begins with the whole timeline.
        recent: conversations to bring along with every new line, as `client.recent`.
        heartbeat: learns how long the line may be silent; None leaves the pings to the server.
        encoding: JSON, or `hivewire.client.connection.MSGPACK`.
        ssl: what `wss://` trusts; None: what the machine does.
        on_line: called when the line comes or goes.
        on_loss: called when events will not come any more; load the state anew then.
        on_status: called when the state of a change moves: sending, sent, delivered, read, failed.
        on_push: called with what comes outside the timeline (`Receipt`, `Typing`, …); `pushes`
            gives the same to a loop.
    """

    def __init__(  # noqa: PLR0913 - all but two are optional and named
        self,
        url: str,
        token: str | Callable[[], Awaitable[str]],
        *,
        device: str = "python",
        cursor: int | None = None,
        epoch: str | None = None,
        store: Store | None = None,
        begin_offline: bool = False,
        from_start: bool = False,
        recent: Recent | None = None,
        heartbeat: Adaptive | None = None,
        encoding: Encoding = JSON,
        ssl: SSLContext | None = None,
        on_line: Callable[[Line], None] | None = None,
        on_loss: Callable[[Loss], None] | None = None,
        on_status: Callable[[Status], None] | None = None,
        on_push: Callable[[Push], None] | None = None,
    ) -> None:
        self._on_line = on_line
        self._on_loss = on_loss
        self._on_push = on_push
        self._begin_offline = begin_offline
        self._wants_recent = recent
        self.recent: list[Conversation] = []
        self.standing = Standing()
        self._writer = Writer(store, self._end)
        self._following = Following(lambda status: _tell(on_status, status))
        self._outgoing = Outgoing(self._transmit, self._writer, self._following.on_status)
        durable = store is not None
        self._session = Session(device, cursor, epoch, from_start=from_start, durable=durable)
        self._reading = Reading(self._session, self._transmit, self._outgoing.call, self._end)
        self._lines = Lines(
            url,
            token,
            encoding,
            hello=self._hello,
            call=self._outgoing.call,
            receive=self._on_object,
            on_lost=self._on_lost,
            ssl=ssl,
        )
        self._keeping = Keeping(store, self._writer, self._session, self._on_safe)
        fetch = None if isinstance(token, str) else token
        self._renewal = Renewal(fetch, self.refresh)
        self._silence = Silence(self._ping, self._lines.cut, heartbeat)
        self._readers: weakref.WeakSet[PushReader] = weakref.WeakSet()
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None
        self._wake = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Connect. Raises ConnectionError when nobody answers, Closed when refused."""
        self._outgoing.restore(self._keeping.load())
        self._outgoing.me = self._session.user
        connection = None if self._begin_offline else await self._lines.open()
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
        """Keep and acknowledge what was consumed, and close the line.

        What has no answer fails; what is in the store goes out with the next client.
        """
        await self._writer.idle()
        self._reading.acknowledge()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._end(Closed(1000, "the client was closed"))
        await self._lines.close()

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
    def pending(self) -> list[Status]:
        """Changes that have no answer yet, oldest first, those of an earlier run included."""
        return self._outgoing.pending()

    def discard(self, key: str) -> bool:
        """Give up a change that is not on the line, where only its answer settles it.

        Tells whether it was given up; who waits for it gets Discarded.
        """
        return self._outgoing.discard(key)

    def keep(self, name: str, value: object) -> None:
        """Keep a record in the store, with the event in hand: both are there or neither.

        The record is written in the transaction that marks the event as consumed, without an event
        in hand at once. A reset of the server's data empties the records.

        Args:
            name: not empty; a later value of the same name replaces it.
            value: what JSON can say; None deletes.
        """
        self._keeping.keep(name, value)

    def kept(self, prefix: str = "") -> dict[str, Any]:
        """The records whose names begin with `prefix`, in the order of their names."""
        return self._keeping.kept(prefix)

    @property
    def is_online(self) -> bool:
        """Whether there is a line to the server now."""
        return self._lines.online

    @property
    def is_caught_up(self) -> bool:
        """Whether the line is live and the application has taken everything that arrived."""
        return self.is_online and self._session.is_caught_up

    async def ask(self, op: str, **fields: object) -> dict[str, Any]:
        """Wait for the answer to a command, over any number of lines; fields that are None stay.

        The verbs are built on this. Use it for an `op` of a later version that may be given twice.
        """
        if self._failure is not None:
            raise self._failure
        given = {name: value for name, value in fields.items() if value is not None}
        return await self._outgoing.ask({"op": op, **given})

    def say(self, op: str, **fields: object) -> None:
        """Give a command that has no answer; silently nothing while offline."""
        if self.is_online:
            self._transmit({"op": op, **fields})

    async def refresh(self, token: str) -> None:
        """Go on with a newer token of the same user, on this line and on later ones.

        Raises CommandFailed if the server does not take it.
        """
        answer: dict[str, Any] = {}
        if self.is_online:
            with contextlib.suppress(Disconnected):
                answer = await self._outgoing.call({"op": "refresh", "token": token})
        self._lines.on_refreshed(token, answer)
        self._renewal.on_answer(answer)

    async def heartbeat(
        self, interval_ms: int | None = None, *, driver: Literal["server", "client"] = "server"
    ) -> Heartbeat:
        """Have a heartbeat that learns nothing, on later lines too; gives what was granted.

        Args:
            interval_ms: 15 s to 5 min, clamped; None for the server's own.
            driver: who pings when the line is silent.
        """
        self._silence.follow(interval_ms, driver)
        answer = await self.ask("heartbeat", interval_ms=interval_ms, **{"from": driver})
        self._silence.regrant(answer)
        return msgspec.convert(answer, Heartbeat)

    def use_network(self, network: str) -> None:
        """The device has moved to this network: use what is known of it, and try the line."""
        if self._silence.pace is not None:
            self._silence.pace.use(network)
        if self.is_online:
            self._ping()
        else:
            self._lines.hurry()

    def pushes(self) -> PushReader:
        """What comes outside the timeline from now on, for an `async for` of its own.

        A reader that is slow loses the oldest beyond 1,000.
        """
        reader = PushReader()
        self._readers.add(reader)
        if self._failure is not None:
            reader.end()
        return reader

    def __aiter__(self) -> Self:
        """Events of the timeline, for ever."""
        return self

    async def __anext__(self) -> Event:
        """The next event; asking for it consumes the one before. Raises Closed at the end."""
        while True:
            event = self._session.take()
            self._keeping.settle()
            if event is not None:
                return event
            if self._failure is not None:
                raise self._failure
            self._reading.catch_up()
            self._wake.clear()
            await self._wake.wait()

    async def _stay(self, connection: Connection | None) -> None:
        try:
            await self._lines.stay(connection)
        except Exception as error:  # noqa: BLE001 - whoever iterates or asks is told, whatever it is
            self._end(error)

    def _hello(self) -> dict[str, Any]:
        fields = self._session.connect_fields()
        if self._wants_recent is not None:
            fields["recent"] = self._wants_recent._asdict()
        wish = self._silence.wish()
        return fields if wish is None else fields | {"heartbeat": wish}

    def _on_connected(self, answer: dict[str, Any]) -> None:
        self._lines.on_connected(answer)
        loss = self._session.on_connected(answer)
        self._keeping.on_connected(reset=loss is Loss.RESET)
        self._renewal.on_answer(answer)
        self._reading.online = True
        self._silence.start(answer["heartbeat"])
        self._outgoing.window = answer["limits"]["sends_in_flight"]
        self._outgoing.me = self._session.user
        self._outgoing.flush()
        self._spawn(self._restore())
        if self._following:
            self._spawn(self._catch_up_on_receipts())
        if "recent" in answer:
            self.recent = Conversations.of(answer["recent"]).items
        _tell(self._on_loss, loss)
        _tell(self._on_line, Line.ONLINE)

    def _on_lost(self, without_a_word: bool) -> None:  # noqa: FBT001 - a callback with one fact
        self._cancel_tasks()
        self._renewal.stop()
        self._reading.stop()
        self._silence.stop(lost=without_a_word)
        self._session.on_offline()
        self._outgoing.on_offline()
        _tell(self._on_line, Line.OFFLINE)

    def _end(self, error: Exception) -> None:
        """Nothing will come any more."""
        self._failure = self._failure or error
        self._lines.online = False
        self._cancel_tasks()
        self._renewal.stop()
        self._reading.stop()
        self._silence.stop()
        self._outgoing.fail(error)
        for reader in self._readers:
            reader.end()
        self._wake.set()

    def _cancel_tasks(self) -> None:
        """What was for the line that has ended."""
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside everything else, as long as this line lives."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_safe(self) -> None:
        """More of what was consumed is in the store."""
        self._reading.acknowledge_soon()
        self._wake.set()

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
            self._lines.on_bye(message)
        else:
            self._on_other_push(message)
        if self._silence.wishes_change and self.is_online:
            self._spawn(self._adjust(self._silence.wish()))
        self._wake.set()

    def _on_answer(self, answer: dict[str, Any]) -> None:
        """Answers that move the session count at once: what follows them builds on it."""
        if answer["op"] == "connected":
            self._on_connected(answer)
        elif answer["op"] == "page":
            _tell(self._on_loss, self._session.on_page(answer))
        command = self._outgoing.on_answer(answer)
        if command is not None and answer["op"] == "sent":
            self._session.on_sent(Sent.of(answer, command["key"]), command)

    def _on_other_push(self, message: dict[str, Any]) -> None:
        push = push_of(message)
        if isinstance(push, Receipt):
            self._following.on_receipt(push, self.user)
        for reader in self._readers:
            reader.put(push)
        _tell(self._on_push, push)

    async def _restore(self) -> None:
        """Tell a new line what the application had asked for on an earlier one."""
        for command in self.standing.commands():
            while True:
                try:
                    push = self.standing.on_answer(command, await self._outgoing.call(command))
                except Disconnected:
                    return
                except CommandFailed as error:
                    if error.retryable:
                        after_ms = error.retry_after_ms
                        await asyncio.sleep(RETRY_SECONDS if after_ms is None else after_ms / 1000)
                        continue
                    self.standing.on_refused(command)
                else:
                    if push is not None:
                        self._on_other_push(push)
                break

    async def _catch_up_on_receipts(self) -> None:
        """Receipts are not repeated: ask for the marks that came while there was no line."""
        with contextlib.suppress(CommandFailed, Disconnected):
            answer = await self._outgoing.call({"op": "conversations", "limit": 100})
            for one in Conversations.of(answer).items:
                for user, marks in one.peers.items():
                    receipt = Receipt(one.conv, user, marks.delivered, marks.read)
                    self._following.on_receipt(receipt, self.user)

    async def _adjust(self, wish: dict[str, Any] | None) -> None:
        """Tell the server the interval that was learnt."""
        with contextlib.suppress(CommandFailed, Disconnected):
            self._silence.regrant(await self._outgoing.call({"op": "heartbeat", **(wish or {})}))

    def _ping(self) -> None:
        self._transmit({"op": "ping"})

    def _transmit(self, message: dict[str, Any]) -> None:
        self._silence.sent(question="id" in message or message["op"] == "ping")
        self._lines.send(message)


def _tell(callback: Callable[[Any], None] | None, what: object) -> None:
    """Call the application back; its mistakes are its own and end no line."""
    if callback is None or what is None:
        return
    try:
        callback(what)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes where asyncio reports such
        context = {"message": f"hivewire client: {callback!r} failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
