"""From a decided entry to everybody who must hear of it: written, synced, then shown.

`Delivery.release` is the promise as statement order: it runs when a group of entries is on stable
storage, and only then do answers and events leave, entry by entry, so that each connection gets
them in the order of `seq`.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from hivewire import chaos
from hivewire.core.apply import apply_device, apply_send, body_msgpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import CursorEntry, DeviceEntry, Duplicate, SendEntry
    from hivewire.core.view import View
    from hivewire.metrics import Metrics
    from hivewire.store.journal import Group, Journal

JSON = 0
MSGPACK = 1

CURSORS_A_GROUP = 200
"""Cursors that are written together: a write holds the interpreter lock for 1.5 µs each."""

Op = tuple[Any, ...]
"""One thing for the engine to do: a kind of `Ops`, then its fields (see the engine's stub)."""


class Ops(NamedTuple):
    """The engine's numbers for what it can be asked to do; the gateway brings them."""

    send: int
    event: int
    connected: int
    syncing: int
    page: int
    heartbeat: int
    refresh: int
    close: int
    notify: int
    pong: int


class Caller:
    """Who sent a command: lives as long as the commands of one read, not as the connection."""

    __slots__ = (
        *("busy", "conn", "device", "encoding", "gone", "parked", "replaced", "token", "user"),
        "weight",
    )

    def __init__(
        self, conn: int, user: str | None, device: str | None, encoding: int, token: str | None
    ) -> None:
        self.conn = conn
        self.user = user
        """None until it has connected."""
        self.device = device
        self.encoding = encoding
        self.token = token
        """Of the upgrade request; the first found wins."""
        self.busy = False
        """Whether a command of it waits for its answer, so that the next has to wait too."""
        self.gone = False
        """Whether the connection has ended: what it said is done, but nobody hears the answers."""
        self.replaced = False
        """Whether a newer connection of its device has ended it: its acks no longer count."""
        self.weight = 0
        """Bytes of pages that it was given and may not have read."""
        self.parked: list[Any] = []
        """Commands that wait until it is no longer busy."""


class Owed:
    """What a group owes to the world once it is durable."""

    __slots__ = ("arrived", "cursors", "events", "ids", "late", "ops", "sends")

    def __init__(self) -> None:
        self.sends: list[SendEntry] = []
        self.cursors: list[CursorEntry | DeviceEntry] = []
        self.ops: list[Op] = []
        """Answers and events, in the order of their entries."""
        self.events = 0
        """Timeline entries that it makes."""
        self.late: list[Callable[[], None]] = []
        """Answers that show state: worked out when the group is durable, after its `ops`."""
        self.ids: dict[int, list[int]] = {}
        """By connection: commands that are answered by this group."""
        self.arrived: list[tuple[int, int]] = []
        """When (monotonic ns) how many of its commands came in."""


class Engine(Protocol):
    """The part of the engine that delivery needs."""

    def submit(self, ops: list[Op]) -> None:
        """Carry out ops, in their order."""
        ...


class Delivery:
    """The one way from commands to answers and events. Loop thread only.

    Args:
        engine: Carries the ops out.
        ops: The engine's numbers for them.
        view: What plan and apply see.
        metrics: Where to count.
    """

    journal: Journal[Owed]

    def __init__(self, engine: Engine, ops: Ops, view: View, metrics: Metrics) -> None:
        self.ops = ops
        self.view = view
        self.msgpack_sessions = 0
        """Sessions that speak MessagePack, from the plan of their `connect` until they are closed;
        without any, no twin is encoded."""
        self.now: list[Op] = []
        """Ops that wait for nothing: they go out at the end of the turn."""
        self._engine = engine
        self._metrics = metrics
        self._columns = view.store.columns
        self._unreleased: list[Owed] = []

    def owe(self) -> Owed:
        """Make the payload of a new group."""
        owed = Owed()
        self._unreleased.append(owed)
        return owed

    def release(self, group: Group[Owed]) -> None:
        """Tell the world: `group` is on stable storage, and so is all before it.

        Nothing else shows an entry to anybody. What a page or an answer shows is read after the
        heads have moved, and the next group is not even written yet.
        """
        owed = group.payload
        self._unreleased.remove(owed)
        for entry in owed.sends:
            self.view.release(entry)
        self.view.cursors.release(owed.cursors)
        if chaos.reach is not None:
            self._submit_by_halves(owed.ops)
        else:
            self._engine.submit(owed.ops)
        for late in owed.late:
            late()
        self.flush()
        self._count(owed)

    def flush(self) -> None:
        """Hand what waits for nothing to the engine: the end of each turn."""
        if self.now:
            ops, self.now = self.now, []
            self._engine.submit(ops)

    def _submit_by_halves(self, ops: list[Op]) -> None:
        """The same with a marked point in the middle of a fan-out."""
        half = len(ops) // 2
        self._engine.submit(ops[:half])
        if chaos.reach is not None:
            chaos.reach("mid-fanout")
        self._engine.submit(ops[half:])

    def _count(self, owed: Owed) -> None:
        metrics, now = self._metrics, monotonic_ns()
        metrics.commands["send", "ok"] += len(owed.sends)
        metrics.events += owed.events
        for arrived, count in owed.arrived:
            metrics.answer_seconds.observe((now - arrived) / 1e9, count)

    def send(self, entry: SendEntry, command_id: int, caller: Caller) -> None:
        """Apply a planned message; its `sent` and its events go out when it is durable."""
        group = self.journal.rotate_if_full()
        body = apply_send(entry, self.view, group.put, self._columns)
        group.count += 1
        twin = body_msgpack(body) if self.msgpack_sessions else None
        owed = group.payload
        owed.sends.append(entry)
        owed.events += len(entry.members)
        event, conn = self.ops.event, caller.conn
        answer = sent(entry, command_id, caller.encoding, dup=False)
        for member, seq in entry.members:
            if member == entry.user:
                owed.ops.append((event, member, seq, body, twin, conn, answer))
            else:
                owed.ops.append((event, member, seq, body, twin, 0, None))
        self.open_id(owed, conn, command_id)

    def device(self, entry: DeviceEntry) -> None:
        """Apply the cursor that a connect decided; it is durable before `connected`."""
        group = self.journal.rotate_if_full()
        apply_device(entry, self.view, group.put)
        group.count += 1
        group.payload.cursors.append(entry)

    def cursors(self) -> None:
        """Write the cursors that moved since the last time."""
        if chaos.reach is not None:
            chaos.reach("cursor")
        while self.view.cursors.dirty:
            group = self.journal.rotate_if_full()
            moved = self.view.cursors.flush(group.put, CURSORS_A_GROUP)
            group.count += len(moved)
            group.payload.cursors.extend(moved)
        self.journal.commit()

    def answer(self, caller: Caller, answer: dict[str, Any]) -> None:
        """Answer at once: this shows nothing that could be lost."""
        self.now.append((self.ops.send, caller.conn, encode(caller.encoding, answer)))

    def repeat(self, original: Duplicate, command_id: int, caller: Caller) -> None:
        """Answer a resend with the original `sent`, behind all that may not be durable yet."""
        answer = sent(original, command_id, caller.encoding, dup=True)
        op = (self.ops.send, caller.conn, answer)
        group = self.journal.barrier()
        if group is None:
            self.now.append(op)
            return
        group.payload.ops.append(op)
        self.open_id(group.payload, caller.conn, command_id)

    def when_durable(self, answer: Callable[[], None]) -> None:
        """Work out an answer that shows state once the newest state it may see is durable."""
        group = self.journal.barrier()
        if group is None:
            answer()
        else:
            group.payload.late.append(answer)

    def close(self, caller: Caller, code: int, reason: str) -> None:
        """Say `bye` and close the connection."""
        self.now.append((self.ops.close, caller.conn, code, reason, 0))

    def open_id(self, owed: Owed, conn: int, command_id: int) -> None:
        """Note that a command waits for `owed`."""
        ids = owed.ids.get(conn)
        if ids is None:
            owed.ids[conn] = [command_id]
        else:
            ids.append(command_id)

    def open_ids(self, conn: int) -> list[int]:
        """The ids of the commands of `conn` that are taken and not answered."""
        found: list[int] = []
        for owed in self._unreleased:
            ids = owed.ids.get(conn)
            if ids is not None:
                found = found + ids if found else ids
        return found

    def arrived(self, since_ns: int, count: int) -> None:
        """Note when the commands of this turn came in, for the answer latency."""
        group = self.journal.barrier()
        if group is not None:
            group.payload.arrived.append((since_ns, count))
        else:
            self._metrics.answer_seconds.observe((monotonic_ns() - since_ns) / 1e9, count)


def sent(places: SendEntry | Duplicate, command_id: int, encoding: int, *, dup: bool) -> bytes:
    """The answer to a send. Conversation ids need no escapes."""
    if encoding == JSON:
        return b'{"op":"sent","id":%d,"conv":"%b","n":%d,"seq":%d,"ts":%d,"dup":%b}' % (
            command_id,
            places.conv.encode(),
            places.n,
            places.seq,
            places.ts,
            b"true" if dup else b"false",
        )
    return _msgpack.encode(
        {
            "op": "sent",
            "id": command_id,
            "conv": places.conv,
            "n": places.n,
            "seq": places.seq,
            "ts": places.ts,
            "dup": dup,
        }
    )


_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()


def encode(encoding: int, answer: object) -> bytes:
    """A whole object; in a message to a client `op` is its first member, then `id`."""
    return _json.encode(answer) if encoding == JSON else _msgpack.encode(answer)
