"""One simulated client: a line, a timeline checked event by event, and what it is asked to do.

Nothing in here waits but `come` and `ask`; a line at rest costs no task and no timer.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec
from loadtest.fleet import lines
from loadtest.fleet.ledger import Reader
from loadtest.fleet.objects import PING, PONG, Event, Page, Said, decode, encode
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loadtest.fleet.fleet import Fleet

PAGE_EVENTS: Final = 200
HISTORY_ITEMS: Final = 200


class Refused(Exception):
    """The node answered a command with an error."""


class Sending(msgspec.Struct, gc=False):
    """A message that is not answered yet: what was sent, and when first."""

    conv: str
    key: str
    command: dict[str, Any]
    since: float


class Client(WSListener):
    """One device of one user.

    Attributes:
        index: its number in the fleet.
        user: its user id.
        live: connected, and up to the head of its timeline.
    """

    __slots__ = (
        "_asked",
        "_epoch",
        "_fleet",
        "_ids",
        "_opening",
        "_repair",
        "_serial",
        "_ticket",
        "_transport",
        "_unanswered",
        "_up",
        "acked",
        "away",
        "heard",
        "index",
        "live",
        "number",
        "reader",
        "shows",
        "told",
        "user",
    )

    def __init__(self, fleet: Fleet, index: int, number: int) -> None:
        self._fleet = fleet
        self.index = index
        self.number = number
        self.user = f"{fleet.target.run}.{number}"
        self.reader = Reader(self.user, fleet.ledger)
        self.live = False
        self.away = True
        self._up = False
        self.told = False
        self.heard = 0.0
        self.acked = 0
        self.shows: dict[str, str] | None = None
        self._transport: WSTransport | None = None
        self._ids = 0
        self._opening: dict[int, str] | None = None
        self._serial = 0
        self._epoch = ""
        self._ticket = ""
        self._asked: dict[int, asyncio.Future[Said]] | None = None
        self._unanswered: dict[int, Sending] | None = None
        self._repair: dict[str, int] | None = None

    # -- what a scenario asks of it ----------------------------------------------------------------

    def send(self, to: Client | str, text: str = "x" * 64) -> None:
        """Say something to another client, a group or a channel; answer and delivery are timed.

        A client that is not live says nothing.
        """
        if not self.live:
            return
        conv = self._fleet.conversation(self, to)
        self._serial += 1
        key = f"{self.user}-{self._serial:06d}"
        now = monotonic()
        target = conv if isinstance(to, str) else f"user:{to.user}"
        # The time of sending travels in the text: who gets it knows how long it took.
        command = {"op": "send", "to": target, "key": key, "text": f"{int(now * 1e6)} {text}"}
        self._put(Sending(conv, key, command, now))

    def watch(self, others: Iterable[Client]) -> None:
        """Be told of others' presence from now on; in the end all must show as online."""
        if self.live:
            users = [other.user for other in others]
            self.shows = (self.shows or {}) | dict.fromkeys(users, "")
            self._fleet.spawn(self._watch(users))

    def leave(self, away: float) -> None:
        """Close the line; come back after `away` seconds and catch up."""
        if self._transport is not None and not self.away:
            self.away = True
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()
            self._fleet.comes_back(self, away)

    def cut(self, away: float) -> None:
        """Cut the line without a word; come back after `away` seconds."""
        if self._transport is not None and not self.away:
            self.away = True
            self._transport.disconnect(graceful=False)
            self._fleet.comes_back(self, away)

    async def ask(self, op: str, **fields: object) -> Said:
        """Give a command and wait for its answer. Raises Refused on an error or without a line."""
        asked = monotonic()
        said = await self._command({"op": op, **fields})
        if said.op == "error":
            self._fleet.tally.fail(op, f"{said.code}: {said.message}")
            raise Refused(f"{op}: {said.code} {said.message}")
        self._fleet.tally.sample(op, monotonic() - asked)
        return said

    async def open(self, conv: str) -> None:
        """Get everything of a channel pushed, and fetch what came while the line was gone."""
        # Told to `_on_ok` beforehand: pushes may follow the answer in the same bytes.
        self._opening = (self._opening or {}) | {self._ids + 1: conv}
        await self.ask("open", conv=conv)

    # -- the line ----------------------------------------------------------------------------------

    async def come(self) -> None:
        """Connect and catch up until live. Raises OSError or Refused where that did not succeed."""
        began = monotonic()
        fleet = self._fleet
        self._give_up()
        await lines.dial(fleet.target.url, self.number, lambda: self)
        again = bool(self._epoch)
        try:
            await self._login(again=again)
        except (OSError, Refused):
            if self._transport is not None:
                self._transport.disconnect(graceful=False)
            raise
        fleet.tally.sample("come back" if again else "connect", monotonic() - began)
        await self._resume()

    async def _login(self, *, again: bool) -> None:
        """`connect`, then pages until the last one."""
        fleet = self._fleet
        proof = {"ticket": self._ticket} if self._ticket else {"token": fleet.token(self.user)}
        place = {"cursor": self.reader.seq, "epoch": self._epoch} if again else {}
        # A ticket that is refused must not be tried again.
        self._ticket = ""
        said = await self._command(
            {"op": "connect", "device": fleet.target.device, "sync": PAGE_EVENTS} | proof | place
        )
        if said.op == "error":
            raise Refused(f"connect: {said.code} {said.message}")
        while not self.live:
            await self.ask("sync", after=self.reader.seq, limit=PAGE_EVENTS)

    def _on_connected(self, said: Said) -> None:
        # Here and not where it is waited for: pushes may follow in the same bytes.
        if said.reset:
            self._fleet.tally.fault("reset", f"{self.user} at {self.reader.seq}")
        if not self._epoch or said.reset:
            self.reader.seq = self.acked = said.cursor
        self._epoch = self._fleet.welcome(said)
        self._ticket = said.ticket
        self.away, self._up = False, True
        self.live = said.head == self.reader.seq
        if said.page is not None:
            self._page(said.page)
        self._on_answer(said)

    def _on_page(self, said: Said) -> None:
        self._page(Page(said.events, said.next, said.done))
        self._on_answer(said)

    def _page(self, page: Page) -> None:
        for event in page.events:
            self.reader.timeline(event.seq, event.conv, event.n, event.mark)
            self._fleet.tally.counts["caught up"] += 1
        self.live = page.done
        self._acks_later()

    async def _resume(self) -> None:
        """Take up what was under way: unanswered sends first, then what ends with a connection."""
        unanswered, self._unanswered = self._unanswered, None
        for sending in (unanswered or {}).values():
            self._fleet.tally.counts["sent again"] += 1
            self._put(sending)
        for conv in [conv for conv in self.reader.places if conv.startswith("channel:")]:
            await self.open(conv)
        if self.shows:
            await self._watch(list(self.shows))

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is through."""
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The line is gone, by whomever."""
        if transport is self._transport:
            self._gone(transport)

    def _give_up(self) -> None:
        """A line that is still closing when the next one is due: nobody waits for it."""
        if (transport := self._transport) is not None:
            self._gone(transport)
            transport.disconnect(graceful=False)

    def _gone(self, transport: WSTransport) -> None:
        self._transport = None
        up, self._up, self.live = self._up, False, False
        for answer in (self._asked or {}).values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the line ended"))
        self._asked = None
        self._opening = None
        self._repair = None
        if up:
            self._fleet.gone(self, ours=self.away, why=self._why(transport))

    def _why(self, transport: WSTransport) -> str:
        received = transport.close_handshake and transport.close_handshake.recv
        return f"{int(received.code)} {received.reason or ''}".strip() if received else "1006"

    # -- what comes in -----------------------------------------------------------------------------

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One frame: one object."""
        if transport is not self._transport:
            # Of a line that was given up, and that a new one has taken the place of.
            return
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        self.heard = monotonic()
        said = decode(frame.get_payload_as_memoryview())
        handler = _HANDLERS.get(said.op)
        if handler is not None:
            handler(self, said)
        elif said.id:
            self._on_answer(said)

    def _on_event(self, said: Said) -> None:
        if self.reader.timeline(said.seq, said.conv, said.n, said.mark):
            self._delivered(said.text)
            self._acks_later()

    def _on_sent(self, said: Said) -> None:
        sending = (self._unanswered or {}).pop(said.id, None)
        if sending is None:
            self._fleet.tally.fault("wrong", f"{self.user}: an answer to nothing: {said.id}")
            return
        if not self._unanswered:
            self._unanswered = None
        tally = self._fleet.tally
        tally.counts["answered"] += 1
        tally.sample("answer", self.heard - sending.since)
        if said.conv.startswith("channel:") or said.dup:
            self._fleet.ledger.book(said.conv).stands(said.n, sending.key, tally)
        else:
            self.reader.timeline(said.seq, said.conv, said.n, sending.key)
            self._acks_later()

    def _on_channel_event(self, said: Said) -> None:
        conv = said.conv
        if self._repair and conv in self._repair:
            self._repair[conv] = max(self._repair[conv], said.n)
        elif conv in self.reader.places:
            if self.reader.pushed(conv, said.n, said.mark):
                self._delivered(said.text)
            else:
                self._fetch(conv, said.n)

    def _on_channel(self, said: Said) -> None:
        self._fleet.tally.counts["channel heads"] += 1
        # Only after this reader was too slow for its channel it hears of the head alone.
        if said.head > self.reader.places.get(said.conv, said.head):
            self._fetch(said.conv, said.head)

    def _on_ping(self, said: Said) -> None:
        self._fleet.tally.counts["heartbeats"] += 1
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, PONG)
        self._on_pong(said)

    def _on_pong(self, said: Said) -> None:
        self.told = True
        if self.live:
            self.reader.told_head(said.head)

    def _on_presence(self, said: Said) -> None:
        self._fleet.tally.counts["presence"] += len(said.changes)
        if self.shows is not None:
            self.shows.update((change["user"], change["state"]) for change in said.changes)
        if said.id:
            self._on_answer(said)

    def _on_bye(self, said: Said) -> None:
        self._fleet.tally.counts["byes"] += 1
        self._fleet.bye(self, said.delay_ms / 1000)

    def _on_error(self, said: Said) -> None:
        sending = (self._unanswered or {}).pop(said.id, None)
        if sending is not None:
            self._fleet.tally.fail("answer", f"{said.code}: {said.message}")
        elif said.id:
            self._on_answer(said)
        else:
            self._fleet.tally.fail("error", f"{said.code}: {said.message}")

    def _on_ok(self, said: Said) -> None:
        conv = (self._opening or {}).pop(said.id, None)
        if conv is not None:
            self._opening = self._opening or None
            self.reader.opened(conv, said.head)
            if self.reader.places[conv] < said.head:
                self._fetch(conv, said.head)
        self._on_answer(said)

    def _on_answer(self, said: Said) -> None:
        answer = (self._asked or {}).pop(said.id, None)
        if answer is not None and not answer.done():
            answer.set_result(said)
        if not self._asked:
            self._asked = None

    # -- what goes out -----------------------------------------------------------------------------

    def acknowledge(self) -> None:
        """Tell the node up to where this device has everything."""
        if self.live and self.acked < self.reader.seq:
            self.acked = self.reader.seq
            self._write({"op": "ack", "seq": self.acked})

    def ask_head(self) -> None:
        """Have the node say up to where it has sent: a lost last event shows."""
        self.told = False
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, PING)

    def idle(self) -> bool:
        """Live, and nothing of its own under way."""
        return self.live and not self._unanswered and not self._asked and not self._repair

    def unanswered(self) -> int:
        """Sends without an answer."""
        return len(self._unanswered or ())

    def end(self) -> None:
        """Close the line for good."""
        self.away = True
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()

    def _put(self, sending: Sending) -> None:
        if self._unanswered is None:
            self._unanswered = {}
        number = self._number()
        self._unanswered[number] = sending
        self._write(sending.command | {"id": number})

    async def _command(self, command: dict[str, Any]) -> Said:
        if self._transport is None:
            raise Refused(f"{command['op']}: not connected")
        if self._asked is None:
            self._asked = {}
        answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        number = self._number()
        self._asked[number] = answer
        self._write(command | {"id": number})
        return await answer

    def _number(self) -> int:
        self._ids += 1
        return self._ids

    def _write(self, command: dict[str, Any]) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, encode(command))

    def _acks_later(self) -> None:
        self._fleet.acks.add(self)

    def _delivered(self, text: str) -> None:
        sent_at, _, _ = text.partition(" ")
        if sent_at.isdigit():
            tally = self._fleet.tally
            tally.counts["delivered"] += 1
            tally.sample("delivery", self.heard - int(sent_at) / 1e6)

    async def _watch(self, users: list[str]) -> None:
        await self.ask("watch", users=users)

    def _fetch(self, conv: str, head: int) -> None:
        if self._repair is None:
            self._repair = {}
        began = conv not in self._repair
        self._repair[conv] = max(head, self._repair.get(conv, 0))
        if began:
            self._fleet.spawn(self._repaired(conv))

    async def _repaired(self, conv: str) -> None:
        """Fetch a channel's events up to where they are known to go, and no further."""
        places = self.reader.places
        while self._repair is not None and places[conv] < self._repair[conv]:
            said = await self.ask("history", conv=conv, after=places[conv], limit=HISTORY_ITEMS)
            self._fleet.tally.counts["repairs"] += 1
            if not self._take_items(conv, said.items):
                break
        if self._repair is not None:
            self._repair.pop(conv, None)

    def _take_items(self, conv: str, items: list[Event]) -> int:
        taken = 0
        for item in items:
            if self._repair is not None and item.n <= self._repair[conv]:
                self.reader.pushed(conv, item.n, item.mark)
                taken += 1
        return taken


_HANDLERS: Final[dict[str, Callable[[Client, Said], None]]] = {
    "connected": Client._on_connected,  # noqa: SLF001
    "page": Client._on_page,  # noqa: SLF001
    "ok": Client._on_ok,  # noqa: SLF001
    "event": Client._on_event,  # noqa: SLF001 - the table of this class
    "sent": Client._on_sent,  # noqa: SLF001
    "channel_event": Client._on_channel_event,  # noqa: SLF001
    "channel": Client._on_channel,  # noqa: SLF001
    "ping": Client._on_ping,  # noqa: SLF001
    "pong": Client._on_pong,  # noqa: SLF001
    "presence": Client._on_presence,  # noqa: SLF001
    "bye": Client._on_bye,  # noqa: SLF001
    "error": Client._on_error,  # noqa: SLF001
}
