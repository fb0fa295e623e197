"""A connection as its shard holds it: phases, what waits to be written, heartbeat, topics."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from hivewire.gateway import CLOSE_CODES, _engine
from tests.sim.loop import MS, S

if TYPE_CHECKING:
    from tests.sim.engine import Shard
    from tests.sim.loop import Handle
    from tests.sim.network import Wire

OPENING, CONNECTED, CLOSING, DEAD = range(4)
CLOSING_TIME = 3 * S
BLIND_LOOK = S
UNANSWERED = 2
"""Pings that may stay unanswered before a line is dead."""
WITHOUT_BYE = {1002, 1003, 1007, 1009, CLOSE_CODES["SLOW_READER"], CLOSE_CODES["NO_HEARTBEAT"]}
ENCODE = (msgspec.json.encode, msgspec.msgpack.encode)
PINGS = tuple(encode({"op": "ping"}) for encode in ENCODE)
PONGS = tuple(encode({"op": "pong"}) for encode in ENCODE)
"""The spellings that never reach Python, by encoding."""


class Line:
    """The shard's end of a wire."""

    def __init__(self, conn: int, shard: Shard, wire: Wire, encoding: int) -> None:
        self.conn = conn
        self.encoding = encoding
        self.shard = shard
        self.wire = wire
        self.schedule = shard.schedule
        self.phase = OPENING
        self.has_session = False
        self.position = 0
        self.code = 1006
        self.topics: dict[str, None] = {}
        self.missed: dict[str, None] = {}
        self._arrived: deque[bytes] = deque()
        self._ended: int | None = None
        self._queue: list[bytes] = []
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._blocked_since = 0
        self._held = self._notify = self._pushed = self._dirty = False
        self._heard = self.schedule.now
        self._pinged = self._unanswered = 0
        self._interval = self._timeout = 0
        self._from_client = False
        self._look: Handle = self.schedule.after(
            shard.settings.opening_ms * MS, self._look_at_opening
        )

    # -- what the network brings -----------------------------------------------------------------

    def receive(self, frame: bytes) -> None:
        self._arrived.append(frame)
        self._mark_readable()

    def lost(self, code: int) -> None:
        self._ended = code
        self._mark_readable()

    def writable(self) -> None:
        if self._backlog:
            self._mark_dirty()
            self.shard.wake()

    def _mark_readable(self) -> None:
        self.shard.readable.append(self)
        self.shard.wake()

    # -- orders ----------------------------------------------------------------------------------

    def connected(
        self,
        payload: bytes,
        position: int,
        _expires: int,
        interval: int,
        timeout: int,
        driver: bool,
    ) -> None:
        if self.phase != OPENING:
            self.shard.batch.append((_engine.CLOSED, self, True, 1006))
            return
        self.phase = CONNECTED
        self.has_session = True
        self.position = position
        jitter = 0 if driver else int(self.schedule.rng.random() * interval * MS / 2)
        self._heard = self.schedule.now - jitter
        self.grant(payload, interval, timeout, driver)

    def grant(self, payload: bytes, interval: int, timeout: int, driver: bool) -> None:
        self._interval, self._timeout = interval * MS, timeout * MS
        self._from_client = driver
        self._unanswered = self._pinged = 0
        self._arm(self.schedule.now)
        self.answer(payload)

    def answer(self, payload: bytes, position: int | None = None) -> None:
        if self._takes_orders:
            if position is not None:
                self.position = position
            self._put(payload)

    def durable(self, payload: bytes, position: int | None = None) -> None:
        if self._takes_orders:
            if position is not None:
                self.position = position
            self._pushed = True
            self._put(payload)

    def volatile(self, payload: bytes, topic: str | None = None) -> None:
        """Dropped while the outbox is over its soft bound, what this turn queued included."""
        if not self._takes_orders:
            return
        if self._waiting > self.shard.settings.outbox_soft:
            if topic is not None:
                self.missed[topic] = None
            return
        self._put(payload)

    def pong(self, number: int) -> None:
        if self._takes_orders:
            named = {"id": number} if number else {}
            self._say({"op": "pong", **named, "head": self.position})

    def notify_writable(self) -> None:
        self._notify = True
        if not self._queue and self._backlog_bytes <= self.shard.settings.outbox_soft:
            self._tell_writable()

    def subscribe(self, topic: str) -> None:
        if self.phase == CONNECTED and topic not in self.topics:
            self.topics[topic] = None
            self.shard.topics.setdefault(topic, []).append(self)

    def unsubscribe(self, topic: str) -> None:
        if topic in self.topics:
            del self.topics[topic]
            self.missed.pop(topic, None)
            self.shard.topics[topic].remove(self)

    def begin_close(self, code: int, reason: str, delay_ms: int) -> None:
        """Say `bye` where the code has one, and Close; then the peer has three seconds."""
        if self.phase in (CLOSING, DEAD):
            return
        self.shard.engine.record("close", code)
        if code not in WITHOUT_BYE:
            bye = {"op": "bye", "code": code, "reason": reason, "reconnect": code < 4500}
            self._say(bye | {"delay_ms": delay_ms})
        self.code = code
        self.phase = CLOSING
        self._held = False
        for topic in list(self.topics):
            self.unsubscribe(topic)
        self._look.cancel()
        self._look = self.schedule.after(CLOSING_TIME, self._kill)
        self._mark_dirty()

    # -- a turn ----------------------------------------------------------------------------------

    def read(self) -> None:
        """One read of the socket: all that has arrived, or a part of it."""
        if self.phase == DEAD or self._held:
            return
        some = len(self._arrived)
        if some > 1 and self.schedule.chance(0.2):
            some = self.schedule.between(1, some)
            self._mark_readable()
        for _ in range(some):
            frame = self._arrived.popleft()
            self._heard = self.schedule.now
            if self._takes_orders:
                self._message(frame)
        if self._ended is not None and not self._arrived:
            self.code = self._ended if self.phase != CLOSING else self.code
            self._kill()

    def _message(self, frame: bytes) -> None:
        if frame == PINGS[self.encoding]:
            self.pong(0)
        elif frame != PONGS[self.encoding]:
            self.shard.commands(self, frame)

    def flush(self) -> None:
        """One write for all that piled up; what the socket does not take waits."""
        self._dirty = False
        if self.phase == DEAD:
            return
        if not self._backlog:
            self._blocked_since = self.schedule.now
        self._backlog.extend(self._queue)
        self._backlog_bytes += sum(map(len, self._queue))
        self._queue.clear()
        self._write()
        self._judge()

    def _write(self) -> None:
        room, taken = self.wire.room, list[bytes]()
        while self._backlog and room > 0:
            frame = self._backlog.popleft()
            room -= len(frame)
            taken.append(frame)
        if taken:
            self._blocked_since = self.schedule.now
            self._backlog_bytes -= sum(map(len, taken))
            self.wire.down(tuple(taken))

    def _judge(self) -> None:
        """After a flush: is the reader too slow, may it be read again, is it done?"""
        settings = self.shard.settings
        pushed, self._pushed = self._pushed, False
        if pushed and self._backlog_bytes > settings.outbox_hard:
            self._doom("reads slower than it is written to")
        elif self._backlog_bytes > settings.outbox_soft:
            self._held = True
        else:
            if self._notify:
                self._tell_writable()
            if self.missed:
                missed, self.missed = self.missed, {}
                self.shard.batch.append((_engine.MISSED, self, True, list(missed)))
            if self._held:
                self._held = False
                self._heard = self.schedule.now
                self._mark_readable()
        if self.phase == CLOSING and not self._backlog:
            self.wire.end(self.code)
            self._kill()
        elif self._backlog and self.phase == CONNECTED:
            self._arm(self.schedule.now)

    def _tell_writable(self) -> None:
        self._notify = False
        self.shard.batch.append((_engine.WRITABLE, self, self.has_session))

    def _doom(self, reason: str) -> None:
        """A slow reader is sent nothing more but the Close."""
        if self._takes_orders:
            self._queue.clear()
            self._backlog.clear()
            self._backlog_bytes = 0
            self.begin_close(CLOSE_CODES["SLOW_READER"], reason, 0)

    def _kill(self) -> None:
        if self.phase != DEAD:
            for topic in list(self.topics):
                self.unsubscribe(topic)
            self.phase = DEAD
            self._look.cancel()
            self.wire.end(self.code)
            self.shard.dead.append(self)
            self.shard.wake()

    # -- timers ----------------------------------------------------------------------------------

    def _arm(self, when: int) -> None:
        self._look.cancel()
        self._look = self.schedule.at(when, self._look_at_line)

    def _look_at_opening(self) -> None:
        self.begin_close(CLOSE_CODES["NOT_CONNECTED"], "not connected in time", 0)
        self.shard.wake()

    def _look_at_line(self) -> None:
        """Act on what is due, and look again when the next thing is."""
        if self.phase != CONNECTED or not self.shard.engine.alive:
            return
        now, stall = self.schedule.now, self.shard.settings.outbox_stall_ms * MS
        if self._backlog and now >= self._blocked_since + stall:
            self._doom("nothing was read for too long")
            self.shard.wake()
            return
        later = [self._blocked_since + stall] if self._backlog else []
        if self._held:
            # Nobody reads, so silence says nothing: the deadlines stand still.
            self._arm(min([now + BLIND_LOOK, *later]))
            return
        due = self._heartbeat_due()
        if due is not None:
            self._arm(max(now + MS, min([due, *later])))

    def _heartbeat_due(self) -> int | None:
        """Judge the heartbeat: when to look again, or None when the line is dead."""
        now = self.schedule.now
        if self._from_client:
            due = self._heard + 2 * self._interval + self._timeout
        else:
            if self._heard >= self._pinged:
                self._unanswered = 0
            due = self._heard + self._interval
            if self._unanswered:
                due = self._pinged + self._timeout
        if now < due:
            return due
        if self._from_client or self._unanswered >= UNANSWERED:
            self.begin_close(CLOSE_CODES["NO_HEARTBEAT"], "no heartbeat", 0)
            self.shard.wake()
            return None
        self._unanswered += 1
        self._pinged = now
        self._say({"op": "ping", "head": self.position})
        self.shard.wake()
        return now + self._timeout

    # -- output ----------------------------------------------------------------------------------

    @property
    def _takes_orders(self) -> bool:
        return self.phase in (OPENING, CONNECTED)

    @property
    def _waiting(self) -> int:
        return self._backlog_bytes + sum(map(len, self._queue))

    def _say(self, message: dict[str, object]) -> None:
        self._put(ENCODE[self.encoding](message))

    def _put(self, frame: bytes) -> None:
        self._queue.append(frame)
        self._mark_dirty()

    def _mark_dirty(self) -> None:
        if not self._dirty:
            self._dirty = True
            self.shard.dirty.append(self)
