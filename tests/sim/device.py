"""A client device in a simulation: it keeps the rules of a good client and writes down all it sees.

A command with a key is open until it is answered; what is open is sent again with the same key, in
the same order, before anything new. What else it does, and when, is in `behaviour`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

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
    MarkTold,
    Page,
    Push,
    Refusal,
    Settled,
    Silent,
    Sync,
)
from tests.sim.climate import token
from tests.sim.loop import MS, S
from tests.sim.network import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.history import Record
    from tests.sim.world import World

WINDOW = 4
"""Commands with a key that a device keeps open."""
PATIENCE = 8 * S
"""After so long without an answer a client gives its line up."""
LATER = frozenset({"forbidden", "not_found", "conflict", "too_large"})
"""Refusals that are right when others were faster; anything else is a client's or a node's bug."""

DECODE = (msgspec.json.Decoder().decode, msgspec.msgpack.Decoder().decode)
ENCODE = (msgspec.json.Encoder().encode, msgspec.msgpack.Encoder().encode)
Message = dict[str, Any]


@dataclass(frozen=True)
class Keyed:
    """A command with a key: what it says, and what its event must be."""

    op: str
    key: str
    conv: str
    fields: Message
    text: str = ""
    about: str = ""

    @property
    def type(self) -> str:
        return {"send": "message", "react": "reaction"}.get(self.op, self.op)


class Device:
    """One device of a user, over all its lines."""

    def __init__(self, world: World, user: str, name: str, encoding: int) -> None:
        self.world = world
        self.schedule = world.schedule
        self.rng = world.schedule.rng
        self.user = user
        self.name = name
        self.encoding = encoding
        self.open: dict[str, Keyed] = {}
        """Commands with a key that have no answer, in the order of their first try."""
        self.settled: dict[str, Keyed] = {}
        """Those that have one."""
        self.places: dict[str, tuple[str, int, int]] = {}
        """By key: conversation, `n` and `seq` of what was answered with `sent`."""
        self.recent: deque[Event] = deque(maxlen=8)
        """Messages that it saw not long ago."""
        self.seen = 0
        """Up to where it holds its timeline."""
        self.live = False
        self.line = 0
        self.wire: Wire | None = None
        self.syncs: dict[int, int] = {}
        self._ended_for_good = False
        self._reading: list[Event] | None = None
        """What the last look at the whole timeline has brought so far."""
        self._given: int | None = None
        self._keys = 0
        self._ids = 0
        self._asked: dict[int, str] = {}
        self._queries: dict[int, Callable[[Message], None]] = {}
        self._trimmed = 1

    def stamp(self) -> tuple[int, int, str, str]:
        return self.schedule.now, self.line, self.user, self.name

    def write(self, record: Record) -> None:
        self.world.history.append(record)

    # -- lines -----------------------------------------------------------------------------------

    def dial(self) -> None:
        """Open a line and say `connect`, sometimes with more behind it in the same breath."""
        if self.wire is not None:
            return
        endpoint = Endpoint(self, self.world.next_line())
        wire = Wire(self.schedule, endpoint, self.world.climate.window)
        if not self.world.machine.dial(wire, self.encoding):
            self._back_off()
            return
        self.wire, self.line, self.live = wire, endpoint.line, False
        self._asked.clear()
        self._queries.clear()
        self.syncs.clear()
        final = self._ended_for_good
        self._given = None if final else self._choose_cursor()
        self.write(Connect(*self.stamp(), self._given))
        fields: Message = {} if self._given is None else {"cursor": self._given}
        if not final and self.schedule.chance(0.5):
            fields["sync"] = self.rng.choice((1, 5, 100))
        self.say("connect", token=token(self.user), device=self.name, **fields)
        if self.schedule.chance(0.2):
            self._send_missing()
        self.schedule.after(PATIENCE, self._give_up, wire)

    def _give_up(self, wire: Wire) -> None:
        """A line on which nothing came back."""
        if self.wire is wire and not self.live:
            self.cut()

    def cut(self, *, abort: bool = True) -> None:
        """End the line from this side."""
        if self.wire is not None:
            self.wire.leave(abort=abort)
            self._ended()

    def fall_silent(self) -> None:
        """Into a tunnel: the line carries nothing any more, which the client notices late."""
        wire = self.wire
        if wire is not None:
            wire.fall_silent()
            self.write(Silent(*self.stamp()))
            self.schedule.after(self.schedule.between(S, 20 * S), self._notice, wire)

    def _notice(self, wire: Wire) -> None:
        if self.wire is wire:
            self.cut()

    def stop_reading(self, ns: int) -> None:
        wire = self.wire
        if wire is not None:
            wire.pause()
            self.write(Silent(*self.stamp()))
            self.schedule.after(ns, wire.go_on)

    def lost(self, line: int) -> None:
        """The other side has ended the line."""
        if self.wire is not None and line == self.line:
            self._ended()

    def _ended(self) -> None:
        self.write(LineEnded(*self.stamp()))
        self.wire = None
        self.live = False
        self._back_off()

    def _back_off(self) -> None:
        self.schedule.after(self.schedule.between(5 * MS, 400 * MS), self.dial)

    def _choose_cursor(self) -> int | None:
        """What the server stored, what it has, or less than it has."""
        return self.rng.choice((None, None, self.seen, self.rng.randint(0, self.seen)))

    # -- what it says ----------------------------------------------------------------------------

    def say(self, op: str, **fields: Any) -> int:
        assert self.wire is not None
        self._ids += 1
        frame = ENCODE[self.encoding]({"op": op, "id": self._ids, **fields})
        self.world.trace(self, "up", frame)
        self.wire.up(frame)
        return self._ids

    def ask(self, hear: Callable[[Message], None], op: str, **fields: Any) -> None:
        """A question; who is no member any more is refused, and hears nothing else."""
        self._queries[self.say(op, **fields)] = hear

    def ack(self) -> None:
        self.write(Ack(*self.stamp(), self.seen))
        self.say("ack", seq=self.seen)

    def next_key(self) -> str:
        self._keys += 1
        return f"{self.user}-{self.name}-{self._keys:05}"

    def change(self, keyed: Keyed) -> None:
        """A new command with a key."""
        self.open[keyed.key] = keyed
        self.send(keyed)

    def send(self, keyed: Keyed) -> None:
        self.write(Invoke(*self.stamp(), keyed.key, keyed.conv, keyed.text, keyed.op, keyed.about))
        self._asked[self.say(keyed.op, key=keyed.key, **keyed.fields)] = keyed.key

    def _send_missing(self) -> None:
        """What is open and was not sent on this line yet."""
        asked = set(self._asked.values())
        for keyed in list(self.open.values()):
            if keyed.key not in asked:
                self.send(keyed)

    def ask_page(self, limit: int, *, back: int = 0) -> None:
        after = max(0, self.seen - back)
        self.write(Sync(*self.stamp(), after))
        self.syncs[self.say("sync", after=after, limit=limit)] = after

    # -- what it hears ---------------------------------------------------------------------------

    def receive(self, line: int, frame: bytes) -> None:
        if self.wire is None or line != self.line:
            return
        self.world.trace(self, "down", frame)
        message = DECODE[self.encoding](frame)
        query = self._queries.pop(message.get("id", 0), None)
        if query is not None:
            if message["op"] != "error":
                query(message)
            elif message["code"] not in LATER:
                self.world.surprise(self, message)
            return
        hear = HEARD.get(message["op"])
        if hear is not None:
            hear(self, message)

    def _hear_connected(self, message: Message) -> None:
        cursor, head = message["cursor"], message["head"]
        told = {name: message[name] for name in ("new_device", "reset")}
        trimmed = message["trimmed_before"]
        self.write(Connected(*self.stamp(), self._given, cursor, head, trimmed, **told))
        self._trimmed = trimmed
        if self._ended_for_good:
            self._reading = []
            self.say("sync", after=0, limit=500)
            return
        self.seen, self.live = cursor, cursor == head
        if self.world.pool:
            self.ask(self.hear_conversations, "conversations", limit=100)
        if "page" in message:
            self._take_page(cursor, message["page"])
        elif not self.live:
            self.ask_page(self.rng.choice((1, 7, 100)))
        if self.live or self.schedule.chance(0.3):
            self._send_missing()

    def _hear_page(self, message: Message) -> None:
        if self._reading is not None:
            self._hear_final_page(message)
            return
        self._take_page(self.syncs.pop(message["id"]), message)

    def _take_page(self, after: int, page: Message) -> None:
        was_live = self.live
        events = tuple(map(Event.of, page["events"]))
        told = page["next"], page["done"], page["trimmed_before"]
        self.write(Page(*self.stamp(), after, events, *told))
        for event in events:
            self._note(event)
        self.seen, self.live = page["next"], page["done"]
        if not self.live and not self.syncs:
            self.ask_page(self.rng.choice((1, 7, 100, 500)))
        elif self.live and not was_live:
            self._send_missing()

    def _hear_final_page(self, page: Message) -> None:
        assert self._reading is not None
        self._reading += map(Event.of, page["events"])
        if not page["done"]:
            self.say("sync", after=page["next"], limit=500)
            return
        self.live = True
        self.write(Final(*self.stamp(), tuple(self._reading), self._trimmed))
        self.world.finals += 1

    def _hear_event(self, message: Message) -> None:
        event = Event.of(message)
        self.write(Push(*self.stamp(), event))
        self._note(event)
        if not self.syncs:
            self.seen = event.seq

    def _note(self, event: Event) -> None:
        if event.type == "message":
            self.recent.append(event)
        elif event.type in ("conversation", "membership"):
            self.world.known[event.conv] = None
            self.write(HeadTold(*self.stamp(), event.conv, event.n))

    def _hear_sent(self, message: Message) -> None:
        keyed = self._settle(message)
        seq = message.get("seq", 0)
        told = (message["conv"], message["n"], seq, message["dup"], keyed.type)
        self.places[keyed.key] = told[:3]
        self.write(Answer(*self.stamp(), keyed.key, *told))
        if keyed.op == "send":
            place = (seq, message["conv"], message["n"], self.user, keyed.key, keyed.text)
            self.recent.append(Event(*place))
        if self.live and seq and not self.syncs and not message["dup"]:
            self.seen = seq

    def _hear_group(self, message: Message) -> None:
        keyed = self._settle(message)
        members = tuple(row["user"] for row in message["members"])
        told = (message["conv"], message["head"], members, message["dup"])
        self.write(GroupTold(*self.stamp(), keyed.key, *told))

    def _hear_ok(self, message: Message) -> None:
        if message["id"] in self._asked:
            keyed = self._settle(message)
            self.write(GroupTold(*self.stamp(), keyed.key, keyed.conv))

    def _settle(self, message: Message) -> Keyed:
        """The command that this answers."""
        key = self._asked[message["id"]]
        keyed = self.open.pop(key, None)
        if keyed is None:
            return self.settled[key]
        self.settled[key] = keyed
        self.world.note_answer(keyed.op)
        return keyed

    def _hear_error(self, message: Message) -> None:
        key = self._asked.get(message.get("id", 0))
        if key is None or (not message["retryable"] and message["code"] not in LATER):
            self.world.surprise(self, message)
        if message["retryable"]:
            self.cut()
            return
        if key is None:
            return
        self.world.counts[f"refused {message['code']}"] += 1
        self.open.pop(key, None)
        self.write(Refusal(*self.stamp(), key, message["code"]))

    def _hear_ping(self, _message: Message) -> None:
        if self.wire is not None:
            self.wire.up(ENCODE[self.encoding]({"op": "pong"}))

    def _hear_receipt(self, message: Message) -> None:
        told = (message["user"], message["delivered"], message["read"])
        self.write(MarkTold(*self.stamp(), message["conv"], *told))

    def hear_channel(self, message: Message) -> None:
        self.write(HeadTold(*self.stamp(), message["conv"], message["head"]))

    def _hear_channel_event(self, message: Message) -> None:
        event = Event.of(message)
        self.write(ChannelEvent(*self.stamp(), event))
        self.write(HeadTold(*self.stamp(), event.conv, event.n))
        if event.type == "message":
            self.recent.append(event)

    def hear_conversations(self, message: Message) -> None:
        for item in message["items"]:
            self._hear_item(item)

    def _hear_item(self, item: Message) -> None:
        conv = item["conv"]
        self.write(HeadTold(*self.stamp(), conv, item["head"]))
        for event in map(Event.of, item.get("last", ())):
            # Messages only: what lies between them is not told.
            self.write(HistoryRead(*self.stamp(), conv, (event,), head=item["head"]))
        for member, mark in item.get("peers", {}).items():
            self.write(MarkTold(*self.stamp(), conv, member, mark["delivered"], mark["read"]))

    # -- the end ---------------------------------------------------------------------------------

    @property
    def quiet(self) -> bool:
        """Live on a line that carries, and nothing is under way."""
        wire = self.wire
        carries = wire is not None and not wire.silent and not wire.paused
        return carries and self.live and not (self.open or self.syncs or self._queries)

    def settle(self) -> None:
        self.write(Settled(*self.stamp(), self.seen))

    def read_everything(self) -> None:
        """On a new line, from the beginning."""
        self._ended_for_good = True
        self.cut(abort=False)


class Endpoint:
    """The client's end of one line. What comes late from an old one is known by its number."""

    def __init__(self, device: Device, line: int) -> None:
        self.device = device
        self.line = line

    def receive(self, frame: bytes) -> None:
        self.device.receive(self.line, frame)

    def lost(self, _code: int) -> None:
        self.device.lost(self.line)


HEARD: dict[str, Callable[[Device, Message], None]] = {
    "connected": Device._hear_connected,
    "page": Device._hear_page,
    "event": Device._hear_event,
    "sent": Device._hear_sent,
    "group": Device._hear_group,
    "ok": Device._hear_ok,
    "error": Device._hear_error,
    "ping": Device._hear_ping,
    "receipt": Device._hear_receipt,
    "channel": Device.hear_channel,
    "channel_event": Device._hear_channel_event,
}
