"""The engine's part in a simulation: what `hivewire._engine` promises, on virtual time.

As in the real one, what Python submits changes the directory at once and reaches a shard later, in
order; what a shard reads reaches Python later, in order. In between anything may happen. A shard's
turn has the same phases: inbox, read, timers (here by the schedule), publish, flush, reap.
"""

from __future__ import annotations

from collections import deque
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import msgspec

from hivewire.core.commands import JSON
from hivewire.gateway import CLOSE_CODES, _engine
from tests.sim.line import CONNECTED, DEAD, Line
from tests.sim.loop import MS, US

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.gateway import EngineSettings
    from tests.sim.loop import NodeLoop, Schedule
    from tests.sim.network import Wire

Op = tuple[Any, ...]
DOORBELL = 3
"""The number under which the doorbell is watched."""
SHARDS = 2


class Session:
    """A connected device, as the directory on Python's side has it."""

    __slots__ = ("conn", "device", "line", "live", "user")

    def __init__(self, line: Line, user: str, device: str) -> None:
        self.line = line
        self.conn = line.conn
        self.user = user
        self.device = device
        self.live = False


class SimEngine:
    """All shards of one process, and the directory."""

    def __init__(self, schedule: Schedule, loop: NodeLoop, settings: EngineSettings) -> None:
        self.schedule = schedule
        self.loop = loop
        self.settings = settings
        self.alive = True
        self.shards = [Shard(self) for _ in range(SHARDS)]
        self.published: deque[Op] = deque()
        self.by_user: dict[str, list[Session]] = {}
        self.by_conn: dict[int, Session] = {}
        self.lines: dict[int, Line] = {}
        self.paused = False
        self.submitted = 0
        self.listening = False
        self.record: Callable[[str, object], None] = lambda _kind, _what: None
        self.spoil: Callable[[Op], list[Op]] | None = None
        """A planted bug: what becomes of an op on its way here."""
        self._conns = count(1)
        self.does = {
            _engine.SEND: self._send,
            _engine.EVENT: self._event,
            _engine.PUSH: self._push,
            _engine.CONNECTED: self._connected,
            _engine.SYNCING: self._syncing,
            _engine.PAGE: self._page,
            _engine.HEARTBEAT: self._heartbeat,
            _engine.REFRESH: self._refresh,
            _engine.CLOSE: self._close,
            _engine.SUBSCRIBE: self._subscribe,
            _engine.UNSUBSCRIBE: self._unsubscribe,
            _engine.PUBLISH: self._publish,
            _engine.NOTIFY: self._notify,
            _engine.PONG: self._pong,
            _engine.EVENTS: self._events,
            _engine.VOLATILE: self._volatile,
            _engine.SUBSCRIBE_USER: self._subscribe_user,
            _engine.UNSUBSCRIBE_USER: self._unsubscribe_user,
        }

    # -- what the product calls ------------------------------------------------------------------

    def listen(self) -> tuple[str, int]:
        self.listening = True
        return "127.0.0.1", 8000

    def fileno(self) -> int:
        return DOORBELL

    def stats(self) -> dict[str, int]:
        return {"connections": len(self.lines)}

    def connections(self) -> int:
        return len(self.lines)

    def devices(self, user: str) -> list[str]:
        return [session.device for session in self.by_user.get(user, ())]

    def sessions_of(self, user: str) -> list[tuple[int, str]]:
        return [(session.conn, session.device) for session in self.by_user.get(user, ())]

    def users(self) -> list[str]:
        return list(self.by_user)

    def take(self, limit: int) -> tuple[int, list[Op]]:
        """Items in order, until `limit` messages have gone by."""
        items: list[Op] = []
        seen = 0
        while self.published and seen < limit:
            kind, line, known, *rest = self.published.popleft()
            session = self.by_conn.get(line.conn)
            who = (None, None) if session is None else (session.user, session.device)
            if kind == _engine.COMMANDS:
                frames, token = rest
                seen += len(frames)
                if session is not None or not known:
                    items.append((kind, line.conn, *who, line.encoding, frames, token))
            elif kind == _engine.CLOSED:
                items.append((kind, line.conn, *who, *rest, line.encoding))
                self._detach(line.conn)
            elif kind == _engine.MISSED:
                items.append((kind, line.conn, *who, *rest, line.encoding))
            else:
                items.append((kind, line.conn, *who, *rest))
        if self.published:
            self.loop.ring(DOORBELL)
        return self.schedule.now, items

    def submit(self, ops: list[Op]) -> int:
        if not self.alive:
            return 0
        self.submitted += 1
        for op in ops if self.spoil is None else chain.from_iterable(map(self.spoil, ops)):
            self.record("op", op)
            self.does[op[0]](*op[1:])
        return self.submitted

    def passages(self, user: str, number: int) -> list[tuple[str, str, str | None, int, int]]:
        """Nobody asks a simulated node why: of each device only that it is there."""
        return [(device, "behind", None, 0, 0) for device in self.devices(user)]

    def pause(self) -> None:
        self.paused = True

    def drain(self, spread_ms: int) -> None:
        self.paused = True
        for line in list(self.lines.values()):
            slot = self.schedule.between(0, spread_ms + 1)
            self._order(line, "begin_close", CLOSE_CODES["DRAIN"], "the node is going down", slot)

    def stop(self) -> None:
        self.die()

    def die(self) -> None:
        """The process has ended; the kernel closes its sockets."""
        if self.alive:
            self.alive = False
            for line in self.lines.values():
                line.wire.break_off()

    # -- ops -------------------------------------------------------------------------------------

    def _order(self, line: Line | None, method: str, *args: Any) -> None:
        """Put an order into the parcel of a line's shard."""
        if line is not None:
            line.shard.inbox.append((line, method, args))
            line.shard.wake()

    def _send(self, conn: int, payload: bytes) -> None:
        self._order(self.lines.get(conn), "answer", payload)

    def _volatile(self, conn: int, payload: bytes) -> None:
        self._order(self.lines.get(conn), "volatile", payload)

    def _event(
        self,
        user: str,
        seq: int,
        body: bytes,
        twin: bytes | None,
        origin: int,
        answer: bytes | None,
    ) -> None:
        answered = answer is None
        for session in self.by_user.get(user, ()):
            if answer is not None and session.conn == origin:
                answered = True
                self._order(session.line, "answer", answer, seq if session.live else None)
            elif session.live:
                self._tell(session, seq, body, twin)
        if not answered:
            self._order(self.lines.get(origin), "answer", answer)

    def _tell(self, session: Session, seq: int, body: bytes, twin: bytes | None) -> None:
        """An event with its head, in the line's encoding. Never a hole: without a twin, 4006."""
        line = session.line
        if line.encoding == JSON:
            self._order(line, "durable", b'{"op":"event","seq":%d,' % seq + body[1:], seq)
        elif twin is not None:
            event = {"op": "event", "seq": seq, **msgspec.msgpack.decode(twin)}
            self._order(line, "durable", msgspec.msgpack.encode(event), seq)
        else:
            session.live = False
            reason = "an event could not be encoded"
            self._order(line, "begin_close", CLOSE_CODES["SERVER_ERROR"], reason, 0)

    def _events(
        self,
        members: tuple[tuple[str, int], ...],
        body: bytes,
        twin: bytes | None,
        origin: int,
        answer: bytes | None,
    ) -> None:
        session = self.by_conn.get(origin)
        owner = None if session is None else session.user
        answered = answer is None
        for user, seq in members:
            if user == owner and not answered:
                answered = True
                self._event(user, seq, body, twin, origin, answer)
            else:
                self._event(user, seq, body, twin, 0, None)
        if not answered:
            self._order(self.lines.get(origin), "answer", answer)

    def _push(self, user: str, body: bytes, twin: bytes | None, volatile: bool) -> None:
        for session in self.by_user.get(user, ()):
            payload = body if session.line.encoding == JSON else twin
            if payload is not None:
                self._order(session.line, "volatile" if volatile else "durable", payload)

    def _connected(
        self,
        conn: int,
        payload: bytes,
        user: str,
        device: str,
        position: int,
        live: bool,
        *rest: Any,
    ) -> None:
        line = self.lines.get(conn)
        if line is None:
            return
        old = next((s for s in self.by_user.get(user, ()) if s.device == device), None)
        if old is not None:
            self._detach(old.conn)
            reason = "replaced by a newer connection of this device"
            self._order(old.line, "begin_close", CLOSE_CODES["REPLACED"], reason, 0)
        session = Session(line, user, device)
        session.live = live
        self.by_user.setdefault(user, []).insert(0, session)
        self.by_conn[conn] = session
        self._order(line, "connected", payload, position, *rest)

    def _syncing(self, conn: int, user: str) -> None:
        self._set_live(conn, user, live=False)

    def _page(self, conn: int, user: str, payload: bytes, position: int, live: bool) -> None:
        self._set_live(conn, user, live=live)
        self._order(self.lines.get(conn), "answer", payload, position)

    def _set_live(self, conn: int, user: str, *, live: bool) -> None:
        session = self.by_conn.get(conn)
        if session is not None and session.user == user:
            session.live = live

    def _heartbeat(self, conn: int, payload: bytes, *granted: Any) -> None:
        self._order(self.lines.get(conn), "grant", payload, *granted)

    def _refresh(self, conn: int, payload: bytes, expires_s: int) -> None:
        self._order(self.lines.get(conn), "answer", payload)

    def _close(self, conn: int, code: int, reason: str, delay_ms: int) -> None:
        self._order(self.lines.get(conn), "begin_close", code, reason, delay_ms)

    def _subscribe(self, conn: int, topic: str) -> None:
        self._order(self.lines.get(conn), "subscribe", topic)

    def _unsubscribe(self, conn: int, topic: str) -> None:
        self._order(self.lines.get(conn), "unsubscribe", topic)

    def _subscribe_user(self, user: str, topic: str) -> None:
        for session in self.by_user.get(user, ()):
            self._order(session.line, "subscribe", topic)

    def _unsubscribe_user(self, user: str, topic: str) -> None:
        for session in self.by_user.get(user, ()):
            self._order(session.line, "unsubscribe", topic)

    def _publish(self, topic: str, body: bytes, twin: bytes | None, volatile: bool) -> None:
        for shard in self.shards:
            shard.inbox.append((None, "publish", (topic, body, twin, volatile)))
            shard.wake()

    def _notify(self, conn: int) -> None:
        self._order(self.lines.get(conn), "notify_writable")

    def _pong(self, conn: int, number: int) -> None:
        self._order(self.lines.get(conn), "pong", number)

    def _detach(self, conn: int) -> None:
        session = self.by_conn.pop(conn, None)
        if session is not None:
            self.by_user[session.user].remove(session)
            if not self.by_user[session.user]:
                del self.by_user[session.user]

    # -- what the network does -------------------------------------------------------------------

    def accept(self, wire: Wire, encoding: int = JSON) -> bool:
        """A client has dialled and is upgraded, or refused."""
        if not self.alive or not self.listening or self.paused:
            return False
        shard = self.schedule.rng.choice(self.shards)
        line = Line(next(self._conns) << 8, shard, wire, encoding)
        self.lines[line.conn] = line
        wire.server = line
        return True


class Shard:
    """A thread of the engine: takes orders, reads lines, publishes a batch, flushes."""

    def __init__(self, engine: SimEngine) -> None:
        self.engine = engine
        self.schedule = engine.schedule
        self.settings = engine.settings
        self.inbox: deque[tuple[Line | None, str, tuple[Any, ...]]] = deque()
        self.readable: list[Line] = []
        self.dirty: list[Line] = []
        self.dead: list[Line] = []
        self.batch: list[Op] = []
        self.topics: dict[str, list[Line]] = {}
        self._awake = False

    def wake(self) -> None:
        if not self._awake:
            self._awake = True
            schedule = self.schedule
            low, high = (MS, 5 * MS) if schedule.chance(0.05) else (1, 200 * US)
            schedule.after(schedule.between(low, high), self.turn)

    def turn(self) -> None:
        self._awake = False
        if not self.engine.alive:
            return
        while self.inbox:
            line, method, args = self.inbox.popleft()
            if line is None:
                getattr(self, method)(*args)
            elif line.phase != DEAD:
                getattr(line, method)(*args)
            elif method == "connected":
                # It went while Python answered its `connect`: the directory must hear of it.
                self.batch.append((_engine.CLOSED, line, True, 1006))
        readable, self.readable = self.readable, []
        for line in readable:
            line.read()
        self._publish_batch()
        self._flush_all()
        self._reap()
        self._publish_batch()

    def commands(self, line: Line, frame: bytes) -> None:
        """A message for Python; in a row those of one line share an item."""
        last = self.batch[-1] if self.batch else None
        if last is not None and last[0] == _engine.COMMANDS and last[1] is line:
            last[3].append(frame)
        else:
            known = line.phase == CONNECTED
            self.batch.append((_engine.COMMANDS, line, known, [frame], None))

    def publish(self, topic: str, body: bytes, twin: bytes | None, volatile: bool) -> None:
        for line in self.topics.get(topic, ()):
            payload = body if line.encoding == JSON else twin
            if payload is None:
                continue
            if volatile:
                line.volatile(payload, topic)
            else:
                line.durable(payload)

    def _publish_batch(self) -> None:
        if self.batch:
            self.engine.published.extend(self.batch)
            self.batch = []
            self.engine.loop.ring(DOORBELL)

    def _flush_all(self) -> None:
        while self.dirty:
            dirty, self.dirty = self.dirty, []
            for line in dirty:
                line.flush()

    def _reap(self) -> None:
        dead, self.dead = self.dead, []
        for line in dead:
            del self.engine.lines[line.conn]
            if line.has_session:
                self.batch.append((_engine.CLOSED, line, True, line.code))
