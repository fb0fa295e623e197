"""A node without sockets and disk: frames go in, and one sees what the engine is told to do.

Everything is the product's own but the two ends: `Recorder` in place of the engine, and a disk that
waits to be told (`Driver.sync`). Time stands still until `Driver.later`.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import msgspec

from hivewire import gateway
from hivewire.auth import Verifier, mint_token, ticket_secret
from hivewire.config import load
from hivewire.core.view import View
from hivewire.delivery import JSON, Delivery, Owed, heads, receipts
from hivewire.gateway import OPS, Gateway
from hivewire.handlers import Services
from hivewire.handlers.rates import Rates
from hivewire.handlers.told import limits_of
from hivewire.metrics import Metrics
from hivewire.presence import Ticker
from hivewire.soon import Soon
from hivewire.store.journal import Journal, ManualCommitter
from hivewire.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hivewire.delivery import Op
    from hivewire.store.journal import Group

SECRET = "0123456789abcdef0123456789abcdef"
CODES = gateway.CLOSE_CODES
NOW_S = 1_800_000_000
FIELDS: dict[str, tuple[str, ...]] = {
    "send": ("conn", "payload"),
    "event": ("user", "seq", "json", "msgpack", "origin", "answer"),
    "connected": (
        *("conn", "payload", "user", "device", "position", "live", "expires_s"),
        *("interval_ms", "timeout_ms", "from_client"),
    ),
    "syncing": ("conn", "user"),
    "page": ("conn", "user", "payload", "position", "live"),
    "heartbeat": ("conn", "payload", "interval_ms", "timeout_ms", "from_client"),
    "refresh": ("conn", "payload", "expires_s"),
    "close": ("conn", "code", "reason", "delay_ms"),
    "notify": ("conn",),
    "pong": ("conn", "id"),
    "volatile": ("conn", "payload"),
    "push": ("user", "json", "msgpack", "volatile"),
    "publish": ("topic", "json", "msgpack", "volatile"),
    "subscribe": ("conn", "topic"),
    "unsubscribe": ("conn", "topic"),
    "subscribe_user": ("user", "topic"),
    "unsubscribe_user": ("user", "topic"),
}
"""What follows the number of each op, as the engine's stub has it."""
DECODE = (msgspec.json.decode, msgspec.msgpack.decode)
ENCODE = (msgspec.json.encode, msgspec.msgpack.encode)


class Told(SimpleNamespace):
    """One op with its fields by name: `kind`, those of `FIELDS`, and `body` if it has a payload."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.__dict__['kind']} has no {name}")


def kinds(told: Iterable[Told]) -> list[str]:
    return [one.kind for one in told]


def bodies(told: Iterable[Told]) -> list[dict[str, Any]]:
    """The answers among them, those inside of events too, in order."""
    found = (one.answer if one.kind == "event" else vars(one).get("body") for one in told)
    return [body for body in found if body is not None]


class Recorder:
    """The engine's border: hands out what lines said, and writes down what it is told."""

    def __init__(self) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.ops: list[Op] = []
        self.submits = 0
        self.sessions: dict[int, tuple[str, str]] = {}
        self.on_submit: Callable[[list[Op]], None] = lambda _: None

    def take(self, limit: int) -> tuple[int, list[tuple[Any, ...]]]:
        items, self.items = self.items, []
        return 0, [self._resolved(item) for item in items]

    def submit(self, ops: list[Op]) -> int:
        self.on_submit(ops)
        self.submits += 1
        self.ops.extend(ops)
        for op in ops:
            if op[0] == OPS.connected:
                self._attach(op[1], (op[3], op[4]))
        return self.submits

    def devices(self, user: str) -> list[str]:
        return [device for name, device in self.sessions.values() if name == user]

    def sessions_of(self, user: str) -> list[tuple[int, str]]:
        return [(conn, held[1]) for conn, held in self.sessions.items() if held[0] == user]

    def fileno(self) -> int:
        return -1

    def _attach(self, conn: int, session: tuple[str, str]) -> None:
        """A device has one session: that of its newest connection."""
        others = {other: held for other, held in self.sessions.items() if held != session}
        self.sessions = others | {conn: session}

    def _resolved(self, item: tuple[Any, ...]) -> tuple[Any, ...]:
        """Who a connection is, is looked up when the item is taken."""
        kind, conn, *rest = item
        session = self.sessions.get(conn, (None, None))
        if kind == gateway._engine.CLOSED:
            self.sessions.pop(conn, None)
        return kind, conn, *session, *rest


class Watch:
    """The part of an event loop that the gateway needs: whether the doorbell is watched."""

    def __init__(self) -> None:
        self.turn: Callable[[], int] | None = None

    def add_reader(self, _fileno: int, turn: Callable[[], int]) -> None:
        self.turn = turn

    def remove_reader(self, _fileno: int) -> None:
        self.turn = None


class Clock:
    """Both clocks of the gateway, in milliseconds; they move when told."""

    def __init__(self) -> None:
        self.ms = NOW_S * 1000

    def time_ns(self) -> int:
        return self.ms * 1_000_000

    monotonic_ns = time_ns


class Timer:
    """A call that waits for its time."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Timers:
    """The loop's timers; they go off in `Driver.later`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waiting: list[Timer] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = Timer(self._clock.ms + seconds * 1000, call)
        self.waiting.append(timer)
        return timer

    def next(self, until: float) -> Timer | None:
        """The next one that goes off until then; it waits no longer."""
        self.waiting = [timer for timer in self.waiting if not timer.cancelled]
        due = min(self.waiting, key=lambda timer: timer.at, default=None)
        if due is None or due.at > until:
            return None
        self.waiting.remove(due)
        return due


class Line:
    """A connection as its client holds it."""

    def __init__(self, driver: Driver, conn: int, encoding: int, token: str | None) -> None:
        self.driver = driver
        self.conn = conn
        self.encoding = encoding
        self.token = token
        self.ids = itertools.count(100)

    def says_raw(self, frame: bytes) -> None:
        """One WebSocket message, taken with the next turn; in a row they share an item."""
        items = self.driver.engine.items
        if items and items[-1][:2] == (gateway._engine.COMMANDS, self.conn):
            items[-1][3].append(frame)
            return
        items.append((gateway._engine.COMMANDS, self.conn, self.encoding, [frame], self.token))

    def says(self, op: str, **fields: Any) -> int:
        """One command, with an id unless one is given; returns the id."""
        number: int = fields.setdefault("id", next(self.ids))
        command = {name: value for name, value in fields.items() if value is not None}
        self.says_raw(ENCODE[self.encoding]({"op": op, **command}))
        return number

    def sends(self, to: str, text: str = "hi", **fields: Any) -> int:
        fields.setdefault("key", f"key-{self.conn}-{next(self.ids):06}")
        return self.says("send", to=f"user:{to}", text=text, **fields)

    def asks(self, op: str, **fields: Any) -> dict[str, Any]:
        """One command that is carried out to its end; returns its answer."""
        number = self.says(op, **fields)
        (answer,) = [body for body in bodies(self.driver.settle()) if body.get("id") == number]
        return answer

    def closed(self, code: int = 1000) -> None:
        self.driver.engine.items.append(
            (gateway._engine.CLOSED, self.conn, code, self.encoding),
        )

    def drained(self) -> None:
        """Its outbox is under the soft bound again."""
        self.driver.engine.items.append((gateway._engine.WRITABLE, self.conn))


class Driver:
    """The node. `sections` are settings: `limits={"devices": 2}`."""

    def __init__(self, store: Memory | None = None, **sections: dict[str, Any]) -> None:
        self.settings = load(auth={"secret": SECRET} | sections.pop("auth", {}), **sections)
        self.store = store or Memory()
        self.engine = Recorder()
        self.clock = Clock()
        self.watch = Watch()
        self.lines: dict[int, Line] = {}
        self.failures: list[BaseException] = []
        self.cursors_wanted = 0
        self.view = View(self.store)
        self.metrics = Metrics()
        self.committer = ManualCommitter()
        self.timers = Timers(self.clock)
        self.rides = self._soon(receipts.RIDE_MS, self._tell_receipts)
        self.delivery = Delivery(
            self.engine,
            OPS,
            self.view,
            self.metrics,
            receipts_soon=self._soon(receipts.GATHER_MS, self._ride_receipts),
            heads_soon=self._soon(heads.GATHER_MS, self._tell_heads),
        )
        self.journal: Journal[Owed] = Journal(
            self.store,
            self.committer,
            release=self._release,
            fatal=self.failures.append,
            payload=self.delivery.owe,
            bound=self.settings.limits.commit_queue,
        )
        self.delivery.journal = self.journal
        self.ticker = Ticker(
            self.settings,
            self.delivery,
            self.metrics,
            devices=self.engine.devices,
            call_later=self.timers.call_later,
            clock=lambda: self.clock.ms,
            jitter=lambda: 0.5,
        )
        self.services = self._services()
        self.gateway = Gateway(self.engine, self.services, self.journal, self.watch)  # type: ignore[arg-type]
        self.gateway.start()

    def _services(self) -> Services:
        settings = self.settings
        return Services(
            settings=settings,
            view=self.view,
            delivery=self.delivery,
            verifier=Verifier(settings.auth),
            rates=Rates(settings),
            metrics=self.metrics,
            ticket_secret=ticket_secret(settings.auth, self.store.secret),
            limits=limits_of(settings),
            close_codes=CODES,
            heartbeat_range=gateway.HEARTBEAT_RANGE,
            devices=self.engine.devices,
            presence=self.ticker.presence,
            move_cursor_soon=self._move_cursor_soon,
        )

    def token(self, user: str, device: str | None = None, ttl: int = 3600) -> str:
        return mint_token(self.settings.auth, user, device, ttl=ttl, now=self.clock.ms // 1000)

    def stranger(self, encoding: int = JSON, token: str | None = None) -> Line:
        """A line on which nothing was said; `token` is that of its upgrade request."""
        line = Line(self, len(self.lines) + 1, encoding, token)
        self.lines[line.conn] = line
        return line

    def open(self, user: str, device: str = "phone", encoding: int = JSON, **connect: Any) -> Line:
        """A line that is connected as `user`."""
        line = self.stranger(encoding)
        answer = line.asks("connect", token=self.token(user), device=device, **connect)
        assert answer["op"] == "connected", answer
        return line

    def later(self, ms: int) -> None:
        """Let time pass; what timers set off goes to a disk that is quick."""
        until = self.clock.ms + ms
        while (timer := self.timers.next(until)) is not None:
            self.clock.ms = max(self.clock.ms, int(timer.at))
            timer.call()
            while self.committer.step():
                pass
        self.clock.ms = until

    def turn(self) -> list[Told]:
        """Take and run what was said. The disk does nothing meanwhile."""
        with mock.patch.object(gateway, "time", self.clock):
            self.gateway.turn()
        return self.told()

    def sync(self) -> list[Told]:
        """The sync under way returns."""
        assert self.committer.step(), "no sync is under way"
        return self.told()

    def settle(self) -> list[Told]:
        """Take, run and sync until nothing is left to do."""
        told = self.turn()
        while self.committer.step():
            told += self.told()
        return told

    def told(self) -> list[Told]:
        """What the engine was told since the last look."""
        ops, self.engine.ops = self.engine.ops, []
        return [self._read(one) for op in ops for one in self._one_by_one(op)]

    def _one_by_one(self, op: Op) -> list[Op]:
        """An event to many as one event to each; the answer goes with that of who asked."""
        if op[0] != OPS.events:
            return [op]
        _, members, body, twin, origin, answer = op
        own = self.engine.sessions.get(origin, (None, None))[0]
        told = [
            (OPS.event, user, seq, body, twin, *((origin, answer) if user == own else (0, None)))
            for user, seq in members
        ]
        # Who has been replaced meanwhile gets it by itself.
        alone = answer is not None and own not in dict(members)
        return [*told, (OPS.send, origin, answer)] if alone else told

    def _read(self, op: Op) -> Told:
        kind = next(name for name, number in OPS._asdict().items() if number == op[0])
        told = Told(kind=kind, **dict(zip(FIELDS[kind], op[1:], strict=True)))
        if kind == "event":
            told.body = DECODE[JSON](told.json)
            if told.answer is not None:
                told.answer = DECODE[self.lines[told.origin].encoding](told.answer)
        elif "json" in FIELDS[kind]:
            told.push = DECODE[JSON](told.json)
        elif "payload" in FIELDS[kind]:
            told.body = DECODE[self.lines[told.conn].encoding](told.payload)
        return told

    def _release(self, group: Group[Owed]) -> None:
        self.delivery.release(group)
        self.gateway.catch_up()

    def _ride_receipts(self) -> None:
        if self.delivery.receipts.ride():
            self.rides()

    def _tell_receipts(self) -> None:
        self.delivery.tell_receipts()

    def _tell_heads(self) -> None:
        self.delivery.tell_heads()

    def _soon(self, delay_ms: int, work: Callable[[], None]) -> Soon:
        return Soon(self.timers, delay_ms, work)  # type: ignore[arg-type]

    def _move_cursor_soon(self) -> None:
        self.cursors_wanted += 1
