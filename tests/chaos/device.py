"""A device that lives through crashes: it connects, catches up, acts, acks, comes back when cut.

It keeps to the rules of a good client: a command with a key is open until it is answered, what is
open is sent again with the same key, in the same order, before anything new. Now and then it asks
from an older cursor than it has. All that it sees goes into the history of its fleet.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from tests.chaos.company import Keyed, Known, act
from tests.chaos.history import (
    Ack,
    Answer,
    ChannelEvent,
    Connect,
    Connected,
    Event,
    Final,
    GroupTold,
    HeadTold,
    HistoryRead,
    Invoke,
    LineEnded,
    Listening,
    MarkTold,
    Page,
    Push,
    Record,
    Refusal,
    Sync,
    Unread,
)
from tests.e2e.rfc6455 import Ended, Refused
from tests.e2e.stranger import Closed, CommandFailed, Stranger
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.fleet import Fleet

BACKOFF_SECONDS = (0.02, 0.1)
GONE = (Closed, Ended, Refused, ConnectionError, TimeoutError)
EVENT_OF = {"send": "message", "edit": "edit", "recall": "recall", "react": "reaction"}
REFUSED_QUESTIONS = frozenset({"forbidden", "not_found"})
"""What may come of asking about a conversation that one was just taken out of."""


class Way(Protocol):
    """Where a client may dial."""

    @property
    def edge(self) -> tuple[str, int]: ...


class Device:
    """One device of a user, over all its lines."""

    def __init__(self, fleet: Fleet, user: str, name: str, encoding: str) -> None:
        self.fleet = fleet
        self.rng = fleet.rng
        self.user = user
        self.name = name
        self.encoding = encoding
        self.open: dict[str, Keyed] = {}
        """Commands without an answer, in the order of their first try."""
        self.known: dict[str, Known] = defaultdict(Known)
        self.heard: dict[str, int] = {}
        """Of each channel the newest head that this line was told of."""
        self.seen = 0
        self.live = False
        self.task: asyncio.Task[None] | None = None
        self.way: Way = fleet.node
        """Where it dials: the node, or something in between."""
        self._patience: asyncio.Timeout | None = None
        self._delivered: dict[str, int] = {}
        self._keys = 0
        self._line = 0
        self._stranger: Stranger | None = None
        self._asked: dict[int, Keyed] = {}
        self._syncs: dict[int, int] = {}
        self._questions: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._ids = itertools.count(1_000_000)
        self._given: int | None = None
        self._room = asyncio.Event()

    def start(self) -> None:
        self.task = asyncio.create_task(self._live_on())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError, *GONE):
                await self.task
            self.task = None
        self.cut()

    def stamp(self) -> tuple[int, int, str, str]:
        return time.monotonic_ns(), self._line, self.user, self.name

    def record(self, record: Record) -> None:
        self.fleet.history.append(record)

    # -- what deeds need -------------------------------------------------------------------------

    def teams(self) -> list[str]:
        """Groups and channels that it knows."""
        return [conv for conv in self.known if not conv.startswith("direct:")]

    def next_key(self) -> str:
        self._keys += 1
        return f"{self.user}-{self.name}-{self._keys:06}"

    def change(self, keyed: Keyed) -> None:
        """Send a new command with a key; from here on it is open."""
        self.open[keyed.key] = keyed
        self._send(keyed)

    def asking(self) -> bool:
        """Whether a question of its line is not answered yet."""
        return bool(self._questions)

    def lacks_heads(self) -> bool:
        """Whether it has yet to hear how far a channel has come that it is in."""
        return any(
            self.heard.get(conv, 0) < self.fleet.heads[conv]
            for conv, talk in self.known.items()
            if talk.is_channel and talk.inside
        )

    def ask(self, hear: Callable[[dict[str, Any]], None], op: str, **fields: Any) -> None:
        """Ask something whose answer goes to `hear`, and is not waited for."""
        if self._stranger is not None:
            number = next(self._ids)
            self._questions[number] = hear
            self._stranger.ask(op, id=number, **fields)

    @property
    def port(self) -> int:
        """The local port of its line."""
        assert self._stranger is not None
        return self._stranger.line.writer.get_extra_info("sockname")[1]

    def note(self, event: Event) -> None:
        self.known[event.conv].note(event, self.user)

    # -- the loop --------------------------------------------------------------------------------

    async def _live_on(self) -> None:
        rng = self.rng
        while True:
            try:
                async with asyncio.timeout(self.fleet.silence) as self._patience:
                    await self.connect(self._choose_cursor(), rng.choice([None, None, 1, 20, 500]))
                    await self.catch_up()
                    await self._act_on()
            except GONE:
                pass
            except CommandFailed as failed:
                if not failed.error["retryable"]:
                    raise
            finally:
                self.cut()
            await asyncio.sleep(rng.uniform(*BACKOFF_SECONDS))

    def _choose_cursor(self) -> int | None:
        """What the client claims to hold:

        what the server stored, what it has, or less than it has.
        """
        return self.rng.choice([None, self.seen, self.rng.randint(0, self.seen)])

    async def connect(self, given: int | None, sync: int | None = None) -> None:
        """Dial and connect with this cursor; `sync` asks for a first page of that size."""
        self.fleet.lines += 1
        self._line = self.fleet.lines
        for forgotten in (self._asked, self._syncs, self._questions, self.heard):
            forgotten.clear()
        self._stranger = await Stranger.dial(self.way, encoding=self.encoding)
        self._stranger.on_receive = self._receive
        self._given = given
        self.record(Connect(*self.stamp(), given))
        fields: dict[str, Any] = {} if given is None else {"cursor": given}
        if sync is not None:
            fields["sync"] = sync
        await self._stranger.connect(token=token(self.user), device=self.name, **fields)

    async def catch_up(self, *, pages: int = 1_000_000) -> None:
        """Ask page by page until live, or for that many pages."""
        asked = 0
        while not self.live and asked < pages:
            # Small pages first, so that there are seams; then large ones, or it may never end.
            await self.ask_page(self.rng.choice([1, 7, 100]) if asked < 4 else 500)
            asked += 1

    def ask_page(self, limit: int, back: int = 0) -> asyncio.Future[dict[str, Any]]:
        """Ask for the page behind what is held, or for one that begins `back` events before."""
        if self._stranger is None:
            raise Ended
        number = next(self._ids)
        after = self._syncs[number] = max(0, self.seen - back)
        self.record(Sync(*self.stamp(), after))
        return self._stranger.ask("sync", id=number, after=after, limit=limit)

    def ask_heads(self) -> None:
        """After a connect the heads of channels come from `conversations`."""
        self.ask(self.hear_conversations, "conversations", limit=100)

    async def _sync_again(self) -> None:
        """A sync while live stops the pushes until its last page; commands go on meanwhile."""
        pages = [self.ask_page(self.rng.choice([1, 5, 500]), self.rng.randint(0, 20))]
        if self.rng.random() < 0.3:
            pages.append(self.ask_page(500, self.rng.randint(0, 5)))
        for keyed in list(self.open.values())[:2]:
            self._send(keyed)
        for page in pages:
            await page
        await self.catch_up()

    async def _act_on(self) -> None:
        self.ask_heads()
        for keyed in list(self.open.values()):
            self._send(keyed)
        while True:
            while self.fleet.sending and len(self.open) < self.fleet.window:
                act(self)
                await asyncio.sleep(self.fleet.pause * self.rng.uniform(0.5, 1.5))
                if self._stranger is None or self._stranger.over():
                    raise Ended
            if self.rng.random() < self.fleet.resyncs:
                await self._sync_again()
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), 0.2)
            if self._stranger is None or self._stranger.over():
                raise Ended

    def _send(self, keyed: Keyed) -> None:
        stranger = self._stranger
        if stranger is None:
            raise Ended
        number = next(self._ids)
        self._asked[number] = keyed
        about = (keyed.key, keyed.conv, keyed.text, keyed.op, keyed.about)
        self.record(Invoke(*self.stamp(), *about))
        stranger.ask(keyed.op, id=number, key=keyed.key, **keyed.fields)

    def cut(self) -> None:
        """Cut the line as a dead network does."""
        self.live = False
        if self._stranger is not None:
            self.record(LineEnded(*self.stamp()))
            self._stranger.cut()
            self._stranger = None

    # -- what arrives ----------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        """Write down what came, in the order of arrival. Whatever came, the line is alive."""
        if self.fleet.silence is not None and self._patience is not None:
            with suppress(RuntimeError):  # outside of the loop nobody waits
                self._patience.reschedule(asyncio.get_running_loop().time() + self.fleet.silence)
        try:
            hear = HEARD.get(message["op"])
            if hear is not None:
                hear(self, message)
            if question := self._questions.pop(message.get("id", 0), None):
                question(message)
        except Exception as fault:
            self.fleet.faults.append(fault)
            raise

    def _hear_connected(self, message: dict[str, Any]) -> None:
        cursor, head = message["cursor"], message["head"]
        told = {name: message[name] for name in ("new_device", "reset")}
        trimmed = message["trimmed_before"]
        self.record(Connected(*self.stamp(), self._given, cursor, head, trimmed, **told))
        self.seen, self.live = cursor, cursor == head
        if "page" in message:
            self._take_page(cursor, message["page"])

    def _hear_page(self, message: dict[str, Any]) -> None:
        self._take_page(self._syncs.pop(message["id"]), message)

    def _take_page(self, after: int, page: dict[str, Any]) -> None:
        events = tuple(map(Event.of, page["events"]))
        told = page["next"], page["done"], page["trimmed_before"]
        self.record(Page(*self.stamp(), after, events, *told))
        for event in events:
            self.note(event)
        self.seen, self.live = page["next"], page["done"]

    def _hear_event(self, message: dict[str, Any]) -> None:
        event = Event.of(message)
        self.record(Push(*self.stamp(), event))
        self.note(event)
        self._hold(event.seq)

    def _hear_sent(self, message: dict[str, Any]) -> None:
        keyed = self._asked[message["id"]]
        seq, kind = message.get("seq", 0), EVENT_OF[keyed.op]
        fields = (message["conv"], message["n"], seq, message["dup"], kind)
        self.record(Answer(*self.stamp(), keyed.key, *fields))
        heads = self.fleet.heads
        heads[keyed.conv] = max(heads[keyed.conv], message["n"])
        if "seq" not in message:
            self.hear_head(keyed.conv, message["n"])
        self._settle(keyed)
        if self.live and not message["dup"] and seq:
            self._hold(seq)

    def _hear_group(self, message: dict[str, Any]) -> None:
        keyed = self._asked.get(message["id"])
        if keyed is not None:
            self._told(keyed, message)

    def _hear_ok(self, message: dict[str, Any]) -> None:
        keyed = self._asked.get(message.get("id", 0))
        if keyed is not None:
            self._told(keyed, {"head": 0, "members": [], "dup": False})

    def _told(self, keyed: Keyed, group: dict[str, Any]) -> None:
        members = tuple(member["user"] for member in group["members"])
        told = (keyed.key, keyed.conv, group["head"], members, group["dup"])
        self.record(GroupTold(*self.stamp(), *told))
        self._settle(keyed)

    def _settle(self, keyed: Keyed) -> None:
        """It was answered; there is room for another."""
        if self.open.pop(keyed.key, None) is not None:
            self.fleet.note_answer()
        self._room.set()

    def _hear_error(self, error: dict[str, Any]) -> None:
        number = error.get("id", 0)
        keyed = self._asked.get(number)
        if error["retryable"]:
            self._room.set()
            self.cut()
        elif keyed is not None:
            self.open.pop(keyed.key, None)
            self._room.set()
            self.record(Refusal(*self.stamp(), keyed.key, error["code"]))
            assert error["code"] in REFUSED_QUESTIONS, f"{keyed} got {error}"
        elif self._questions.pop(number, None) is not None:
            assert error["code"] in REFUSED_QUESTIONS, error

    def _hear_receipt(self, message: dict[str, Any]) -> None:
        self.hear_marks(message["conv"], message["user"], message["delivered"], message["read"])

    def hear_marks(self, conv: str, member: str, delivered: int, read: int) -> None:
        if member == self.user:
            # A listing tells of one's own marks only how far one has read.
            delivered = max(delivered, self._delivered.get(conv, 0))
            self._delivered[conv] = delivered
        self.record(MarkTold(*self.stamp(), conv, member, delivered, read))

    def hear_conversations(self, message: dict[str, Any]) -> None:
        for item in message["items"]:
            conv = item["conv"]
            if item["kind"] == "channel":
                self.hear_head(conv, item["head"])
            self.hear_marks(conv, self.user, item["read"], item["read"])
            told = item["read"], item["unread"], item["head"]
            self.record(Unread(*self.stamp(), conv, *told))
            for event in map(Event.of, item["last"]):
                # Messages only: what lies between them is not told.
                self.record(HistoryRead(*self.stamp(), conv, (event,), head=item["head"]))
            for member, marks in item.get("peers", {}).items():
                self.hear_marks(conv, member, marks["delivered"], marks["read"])

    def _hear_channel(self, message: dict[str, Any]) -> None:
        self.hear_head(message["conv"], message["head"])

    def hear_head(self, conv: str, head: int) -> None:
        self.record(HeadTold(*self.stamp(), conv, head))
        self.heard[conv] = max(self.heard.get(conv, 0), head)

    def listen(self, conv: str, head: int | None) -> None:
        self.record(Listening(*self.stamp(), conv, head))

    def _hear_channel_event(self, message: dict[str, Any]) -> None:
        event = Event.of(message)
        self.record(ChannelEvent(*self.stamp(), event))
        self.note(event)
        self.hear_head(event.conv, event.n)

    def _hold(self, seq: int) -> None:
        """The client holds everything up to here; it says so every few events."""
        self.seen = seq
        if self.rng.random() < 0.1:
            self.record(Ack(*self.stamp(), seq))
            assert self._stranger is not None
            self._stranger.tell("ack", seq=seq)

    # -- the end ---------------------------------------------------------------------------------

    async def head(self) -> int:
        """The head that the node tells on this line."""
        assert self._stranger is not None
        return (await self._stranger.call("ping")).get("head", self.seen)

    async def read_everything(self) -> Stranger:
        """Read the timeline from its beginning on a line of its own, and keep it as final.

        Returns the line; who called ends it.
        """
        await self.stop()
        self.fleet.lines += 1
        self._line = self.fleet.lines
        stranger = await Stranger.dial(self.fleet.node, encoding=self.encoding)
        self._given = None
        stranger.on_receive = self._receive
        await stranger.connect(token=token(self.user), device=self.name)
        stranger.on_receive = None
        events = await stranger.read_all(0)
        trimmed = stranger.connected["trimmed_before"]
        self.record(Final(*self.stamp(), tuple(map(Event.of, events)), trimmed))
        return stranger


HEARD: dict[str, Callable[[Device, dict[str, Any]], None]] = {
    "connected": Device._hear_connected,
    "page": Device._hear_page,
    "event": Device._hear_event,
    "sent": Device._hear_sent,
    "group": Device._hear_group,
    "ok": Device._hear_ok,
    "error": Device._hear_error,
    "receipt": Device._hear_receipt,
    "channel": Device._hear_channel,
    "channel_event": Device._hear_channel_event,
}
