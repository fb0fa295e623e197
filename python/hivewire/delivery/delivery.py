"""From a decided entry to everybody who must hear of it: written, synced, then shown.

`Delivery.release` is the promise as statement order: it runs when a group of entries is on stable
storage, and only then do answers and events leave, entry by entry, so that each connection gets
them in the order of `seq`.
"""

from __future__ import annotations

from collections import defaultdict
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Protocol

from hivewire import chaos
from hivewire.core import events, gathered
from hivewire.core.apply import apply_send
from hivewire.core.apply_change import apply_change
from hivewire.core.entries import CountChannel, SendEntry
from hivewire.core.media import apply_naming
from hivewire.delivery.answers import encode, sent
from hivewire.delivery.heads import Heads, heads_topic, open_topic
from hivewire.delivery.owed import Op, Ops, Owed
from hivewire.delivery.receipts import Receipts
from hivewire.delivery.rows import ROWS_AN_ENTRY, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hivewire.core.entries import (
        ChangeEntry,
        Duplicate,
        MarkEntry,
    )
    from hivewire.core.view import View
    from hivewire.delivery.caller import Caller
    from hivewire.following import ConnectionLog, MessageLog
    from hivewire.metrics import Metrics
    from hivewire.store.journal import Group

MEMBERS_AN_ENTRY = 32
"""A message to so many weighs as one entry more in its group: they are two full runs of timelines
and a kilobyte of `fanout`. A group of 6,400 deliveries, the most there are, is released in 3 ms."""


class Engine(Protocol):
    """The part of the engine that delivery needs."""

    def submit(self, ops: list[Op]) -> int:
        """Carry out ops, in their order. Returns the number of this submission."""
        ...


class Pushes(Protocol):
    """Who delivers pushes, as far as delivery knows."""

    def held(self, users: list[str]) -> None:
        """Messages for these users were put into the outbox, and are durable."""
        ...

    def read(self, mark: MarkEntry) -> None:
        """A user has durably got, or read, a conversation up to some place."""
        ...


def _nothing() -> None:
    """Where nobody asked to be woken."""


class Delivery(Rows):
    """The one way from commands to answers and events. Loop thread only.

    Args:
        engine: Carries the ops out.
        ops: The engine's numbers for them.
        view: What plan and apply see.
        metrics: Where to count.
        receipts_soon: Asks for `Receipts.ride` in a moment.
        heads_soon: Asks for `tell_heads` in a moment.
        logs: Hear of each connection and of each message, where the settings ask for it.
    """

    def __init__(
        self,
        engine: Engine,
        ops: Ops,
        view: View,
        metrics: Metrics,
        *,
        receipts_soon: Callable[[], None] = _nothing,
        heads_soon: Callable[[], None] = _nothing,
        logs: tuple[ConnectionLog | None, MessageLog | None] = (None, None),
    ) -> None:
        super().__init__(view)
        self.ops = ops
        self.receipts = Receipts(view, receipts_soon)
        self.heads = Heads(view, heads_soon)
        self.msgpack_sessions = 0
        """Sessions that speak MessagePack, from the plan of their `connect` until they are closed;
        without any, no twin is encoded."""
        self.now: list[Op] = []
        """Ops that wait for nothing: they go out at the end of the turn."""
        self.released: Callable[[Owed], None] | None = None
        """Called with each durable group, after it was shown: for the application's hooks."""
        self.pushes: Pushes | None = None
        """Hears of what is in the outbox and of what was read, when it is durable."""
        self.connection_log, self.message_log = logs
        self._engine = engine
        self._metrics = metrics
        self._open_ids: defaultdict[int, list[int]] = defaultdict(list)
        """By connection: commands that are taken and not answered, in the order of their groups."""

    # -- the promise -----------------------------------------------------------------------------

    def owe(self) -> Owed:
        """Make the payload of a new group."""
        return Owed()

    def release(self, group: Group[Owed]) -> None:
        """Tell the world: `group` is on stable storage, and so is all before it.

        Nothing else shows an entry to anybody. What a page or an answer shows is read after the
        heads have moved, and nothing is in the store then that is not durable (`when_durable`).
        """
        owed = group.payload
        self._close_ids(owed)
        view = self.view
        view.tails.release(owed.entries, owed.bodies)
        view.release(owed.entries)
        self._settle(owed)
        if self.receipts.riding:
            self._let_ride(owed)
        owed.submitted_ns = monotonic_ns()
        if chaos.reach is not None:
            owed.number = self._submit_by_halves(owed.ops)
        else:
            owed.number = self._engine.submit(owed.ops)
        for late in owed.late:
            late()
        if owed.pushes and self.pushes is not None:
            self.pushes.held(owed.pushes)
        if self.released is not None:
            self.released(owed)
        if self.message_log is not None:
            self.message_log.shown(owed.entries, owed.marks)
        self.flush()
        self._count(owed)

    def _settle(self, owed: Owed) -> None:
        """What memory held of a group's rows, the store says now; marks and heads may be told."""
        view = self.view
        view.cursors.release(owed.cursors)
        view.marks.release(owed.marks)
        view.overlay.release(owed.pending)
        for swept in owed.swept:
            view.gathered.release(swept)
        if owed.freed is not None:
            self._free(*owed.freed)
        for trim in owed.trims:
            view.release_trim(trim)
            self.drop_trimmed(trim)
        for registration in owed.registrations:
            view.release_registration(registration)
        for covered in owed.covered:
            self.receipts.note(covered)
            if self.pushes is not None:
                self.pushes.read(covered.mark)
        # Those that receipts tell of are among the marks, and are noted already.
        if len(owed.marks) > len(owed.covered):
            for mark in owed.marks:
                self.receipts.catch_up(mark)
        for conv in owed.channels:
            self.heads.note(conv)

    def flush(self) -> None:
        """Hand what waits for nothing to the engine: the end of each turn."""
        if self.now:
            ops, self.now = self.now, []
            self._engine.submit(ops)

    def _submit_by_halves(self, ops: list[Op]) -> int:
        """The same with a marked point in the middle of a fan-out."""
        half = len(ops) // 2
        self._engine.submit(ops[:half])
        if chaos.reach is not None:
            chaos.reach("mid-fanout")
        return self._engine.submit(ops[half:])

    def _count(self, owed: Owed) -> None:
        metrics, now = self._metrics, monotonic_ns()
        sizes = [len(entry.members) for entry in owed.entries if type(entry) is SendEntry]
        metrics.commands["send", "ok"] += len(sizes)
        for size in set(sizes):
            metrics.fanout_users.observe(size, sizes.count(size))
        metrics.events += owed.events
        for arrived, count, made in owed.arrived:
            seconds = (now - arrived) / 1e9
            metrics.answer_seconds.observe(seconds, count)
            if made:
                metrics.delivery_seconds.observe(seconds, made)

    # -- entries ---------------------------------------------------------------------------------

    def send(self, entry: SendEntry, command_id: int, caller: Caller) -> None:
        """Apply a planned message; its `sent` and its events go out when it is durable."""
        group = self.journal.rotate_if_full()
        body = apply_send(entry, self.view, group.put, self._columns)
        members = entry.members
        group.count += 1 + len(members) // MEMBERS_AN_ENTRY
        owed = group.payload
        if self.view.to_push:
            owed.pushes += self.view.to_push
            self.view.to_push.clear()
        owed.entries.append(entry)
        owed.bodies.append(body)
        if entry.media:
            owed.pending += apply_naming(entry, self.view, group.put)
        if len(members) >= gathered.MANY:
            self._sweep(group, 2 * len(members))
        # Without a connection (0) the node itself sends: nobody to answer on the wire.
        answer = sent(entry, command_id, caller.encoding, dup=False) if caller.conn else None
        self._tell(owed, body, members, caller.conn, answer)
        if not members:
            self._publish(owed, entry.conv, body)
        self.open_id(owed, caller.conn, command_id)
        if self.message_log is not None:
            self.message_log.accepted(entry, command_id, caller)

    def change(
        self, entry: ChangeEntry, caller: Caller, command_id: int, answer: bytes | None
    ) -> None:
        """Apply a planned change; its events go out when it is durable.

        The caller gets `answer` in place of the event, or the event if there is none.
        """
        group = self.journal.rotate_if_full()
        applied = apply_change(entry, self.view, group.batch)
        owed = group.payload
        owed.entries.append(entry)
        owed.bodies += applied.bodies
        owed.pending += applied.pending
        owed.marks += applied.marks
        group.count += 1 + len(entry.effects) // ROWS_AN_ENTRY
        for effect in entry.effects:
            if isinstance(effect, CountChannel):
                self._follow(owed, entry.conv, effect)
        for part, body in zip(entry.parts, applied.bodies, strict=True):
            group.count += len(part.members) // MEMBERS_AN_ENTRY
            if len(part.members) >= gathered.MANY:
                self._sweep(group, 2 * len(part.members))
            self._tell(owed, body, part.members, caller.conn, answer)
            if self.view.existing(entry.conv).is_channel:
                self._publish(owed, entry.conv, body)
        self.open_id(owed, caller.conn, command_id)
        if self.message_log is not None:
            self.message_log.accepted(entry, command_id, caller)

    def _sweep(self, group: Group[Owed], limit: int) -> None:
        """Keep what waits for full runs within its bound, and free what waits no more."""
        waiting, owed = self.view.gathered, group.payload
        swept = waiting.sweep(group.put, limit)
        if swept.places:
            owed.swept.append(swept)
            group.count += len(swept.places) // ROWS_AN_ENTRY
        if owed.freed is None:
            owed.freed = waiting.to_free()

    def put_gathered(self) -> None:
        """Put all that waits for full runs: a start after this has nothing to carry out."""
        waiting, group = self.view.gathered, self.journal.rotate_if_full()
        owed = group.payload
        owed.swept.append(waiting.sweep(group.put))
        if owed.freed is None:
            owed.freed = waiting.to_free(everything=True)
        group.count += 1
        self.journal.commit()

    def _follow(self, owed: Owed, conv: str, effect: CountChannel) -> None:
        """Who comes to a channel hears of its heads from now on, who goes of nothing any more."""
        ops, user = self.ops, effect.user
        if effect.by > 0:
            owed.ops.append((ops.subscribe_user, user, heads_topic(conv)))
            return
        for topic in (heads_topic(conv), open_topic(conv)):
            owed.ops.append((ops.unsubscribe_user, user, topic))

    def _tell(
        self,
        owed: Owed,
        body: bytes,
        members: tuple[tuple[str, int], ...],
        conn: int,
        answer: bytes | None,
    ) -> None:
        """Owe an event to those into whose timelines it goes.

        The caller gets `answer` in its place, if there is one.
        """
        ops, twin = self.ops, events.twin(body) if self.msgpack_sessions else None
        owed.events += len(members)
        if len(members) > 1:
            owed.ops.append((ops.events, members, body, twin, conn if answer else 0, answer))
        elif members:
            ((member, seq),) = members
            owed.ops.append((ops.event, member, seq, body, twin, conn if answer else 0, answer))
        elif answer is not None and conn:
            owed.ops.append((ops.send, conn, answer))

    def _publish(self, owed: Owed, conv: str, body: bytes) -> None:
        """Owe an event to a channel's readers."""
        event = b'{"op":"channel_event",%b' % body[1:]
        packed = events.twin(event) if self.msgpack_sessions else None
        owed.ops.append((self.ops.publish, open_topic(conv), event, packed, True))
        owed.channels.add(conv)

    # -- what is gathered ------------------------------------------------------------------------

    def _let_ride(self, owed: Owed) -> None:
        """Push the receipts that wait for one of these events."""
        push, receipts = self.ops.push, self.receipts
        for entry in owed.entries:
            if entry.conv in receipts.riding:
                told = receipts.take_of(entry.conv, with_twin=bool(self.msgpack_sessions))
                owed.ops += [(push, user, body, twin, True) for user, body, twin in told]

    def tell_receipts(self) -> None:
        """Push the receipts that no event took along."""
        push = self.ops.push
        for user, body, twin in self.receipts.take(with_twin=bool(self.msgpack_sessions)):
            self.now.append((push, user, body, twin, True))
        self.flush()

    def tell_heads(self) -> None:
        """Push the heads of channels that were gathered."""
        publish = self.ops.publish
        for topic, body, twin in self.heads.take(with_twin=bool(self.msgpack_sessions)):
            self.now.append((publish, topic, body, twin, True))
        self.flush()

    # -- answers ---------------------------------------------------------------------------------

    def answer(self, caller: Caller, answer: dict[str, Any]) -> None:
        """Answer at once: this shows nothing that could be lost."""
        self.now.append((self.ops.send, caller.conn, encode(caller.encoding, answer)))

    def push(self, user: str, push: dict[str, Any]) -> None:
        """Push what is not durable to all connections of a user; slow readers may miss it."""
        body = events.encode(push)
        twin = events.twin(body) if self.msgpack_sessions else None
        self.now.append((self.ops.push, user, body, twin, True))

    def volatile(self, conn: int, payload: bytes) -> None:
        """Push what may be dropped if the connection is a slow reader."""
        self.now.append((self.ops.volatile, conn, payload))

    def repeat(self, original: Duplicate, command_id: int, caller: Caller) -> None:
        """Answer a resend with the original `sent`, behind all that may not be durable yet."""
        if self.message_log is not None:
            self.message_log.repeated(original.conv, original.n, command_id, caller)
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
            group.reads = True
            group.payload.late.append(answer)

    def close(self, caller: Caller, code: int, reason: str) -> None:
        """Say `bye` and close the connection."""
        if self.connection_log is not None:
            self.connection_log.closing(caller, code, reason)
        self.now.append((self.ops.close, caller.conn, code, reason, 0))

    # -- commands under way ----------------------------------------------------------------------

    def open_id(self, owed: Owed, conn: int, command_id: int) -> None:
        """Note that a command waits for `owed`."""
        self._open_ids[conn].append(command_id)
        owed.asked[conn] += 1

    def open_ids(self, conn: int) -> Sequence[int]:
        """The ids of the commands of `conn` that are taken and not answered."""
        return self._open_ids.get(conn, ())

    def _close_ids(self, owed: Owed) -> None:
        """Groups are released in their order, so the oldest ids are those of this one."""
        open_ids = self._open_ids
        for conn, count in owed.asked.items():
            ids = open_ids[conn]
            if len(ids) == count:
                del open_ids[conn]
            else:
                del ids[:count]

    def arrived(self, since_ns: int, count: int) -> None:
        """Note when the commands of this turn came in, for the answer latency."""
        group = self.journal.barrier()
        if group is not None:
            owed = group.payload
            owed.arrived.append((since_ns, count, owed.events - owed.timed))
            owed.timed = owed.events
        else:
            self._metrics.answer_seconds.observe((monotonic_ns() - since_ns) / 1e9, count)
