"""The border to the engine: batches of messages in, batches of ops out, one wake-up each.

Only this module imports `hivewire._engine`. A turn is: take what all shards have, decode it, look
up all keys at once, run the commands one after the other, commit, submit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hivewire import _engine
from hivewire.core.commands import JSON, CommandError, Outcome, Send
from hivewire.core.decode import decode_frame
from hivewire.delivery import Caller, Delivery, Ops
from hivewire.handlers import HANDLERS, channels
from hivewire.handlers.ack import overtake

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hivewire.config import Settings
    from hivewire.core.commands import Command
    from hivewire.handlers import Services
    from hivewire.metrics import Metrics
    from hivewire.store.journal import Journal

Waiting = tuple[
    int, tuple[str | None, str | None, int, str | None], tuple[bool, int, bool], list[Any]
]
"""A connection of which something waits: its id; user, device, encoding and token; whether it waits
for its outbox, the bytes in that, whether it was replaced; its commands."""

CLOSE_CODES = _engine.CLOSE_CODES
HEARTBEAT_RANGE = _engine.LIMITS["heartbeat_min_ms"], _engine.LIMITS["heartbeat_max_ms"]
OPS = Ops(**{name: getattr(_engine, name.upper()) for name in Ops._fields})
"""The engine's numbers: the names are its own."""
Engine = _engine.Engine
interpreter_wait = _engine.interpreter_wait

TABLE_SHARE = 0.85
"""How full a shard's file table may be planned: SO_REUSEPORT spreads unevenly."""
BACKLOG_GROUPS = 4
"""Commit groups that may wait before the shards' batches are left where they are."""
PARKED_COMMANDS = 4096
"""Commands of one connection that may wait behind another of it; one more and it is closed (I8)."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What `Engine` reads; times in milliseconds, sizes in bytes, rates as (a second, burst)."""

    address: str
    shards: int
    max_connections: int = 50_000
    tls: tuple[str, str] | None = None
    path: str = "/v1/ws"
    subprotocols: bool = True
    echo: bool = False
    deflate: bool = False
    max_message: int = 64 * 1024
    max_fragments: int = 1024
    fragments_ms: int = 10_000
    max_inflated: int = 256 * 1024
    opening_bytes: int = 4096
    opening_ms: int = 10_000
    origins: tuple[str, ...] = ()
    outbox_soft: int = 256 * 1024
    outbox_hard: int = 1024 * 1024
    outbox_total: int = 1 << 30
    outbox_stall_ms: int = 10_000
    inbound_bytes: int = 4 * 1024 * 1024
    control_per_second: int = 10
    upgrades: tuple[int, int] = (0, 0)
    tls_handshakes: tuple[int, int] = (0, 0)
    sync_bytes: tuple[int, int] = (0, 0)
    address_connects: tuple[int, int] = (0, 0)
    memory_limit: int = 0


def engine_settings(settings: Settings, shards: int) -> EngineSettings:
    """The engine's part of a node's settings."""
    limits, rates = settings.limits, settings.admission
    return EngineSettings(
        address=settings.edge.address,
        shards=shards,
        max_connections=limits.max_connections,
        tls=settings.edge.tls,
        deflate=settings.edge.deflate,
        max_message=limits.message_bytes,
        max_fragments=limits.message_fragments,
        fragments_ms=limits.message_time,
        max_inflated=limits.inflated_bytes,
        opening_bytes=limits.opening_bytes,
        opening_ms=limits.opening_time,
        origins=settings.edge.origins,
        outbox_soft=limits.outbox_soft,
        outbox_hard=limits.outbox_hard,
        outbox_total=limits.outbox_total,
        outbox_stall_ms=limits.outbox_stall,
        inbound_bytes=limits.inbound_bytes,
        control_per_second=limits.control_per_second,
        upgrades=(rates.connects_per_second, rates.connects_burst),
        tls_handshakes=(rates.tls_per_second, rates.tls_burst),
        sync_bytes=(rates.sync_bytes_per_second, rates.sync_bytes_burst),
        address_connects=(rates.address_per_second, rates.address_burst),
        memory_limit=settings.memory.limit,
    )


def shards_for(max_connections: int, cores: int, table: int) -> int:
    """Shards that a node needs: its cores, or more where the file tables would be too small."""
    return max(cores, -(-max_connections // int(TABLE_SHARE * table)))


class Gateway:
    """Runs the turns. Everything happens on the loop's thread; a message costs no task.

    Args:
        engine: The shards.
        services: What handlers work with.
        loop: The event loop that watches the doorbell.
    """

    def __init__(
        self,
        engine: Engine,
        services: Services,
        journal: Journal[Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._engine = engine
        self._services = services
        self._delivery: Delivery = services.delivery
        self._journal = journal
        self._loop = loop
        self._limit = services.settings.limits.batch_messages
        self._soft = services.settings.limits.outbox_soft
        self._heavy = self._soft // 4
        """Bytes of pages from which on a caller is kept until they are out."""
        self._metrics: Metrics = services.metrics
        self._watching = False
        self._behind = False
        """Whether batches are left waiting until the disk has caught up."""
        self._suspended = False
        """Whether commands stay where they are until another gateway takes over."""
        self._callers: dict[int, Caller] = {}
        """Those with a command that waits, or with pages that they may not have read."""
        self._of_user: dict[str, dict[int, Caller]] = {}
        """The same by user: in a storm thousands wait, and each `connect` asks for one user's."""
        services.resume, services.replace = self.resume, self.replace

    def start(self) -> None:
        """Take batches whenever the doorbell rings."""
        self._watching = True
        self._behind = False
        self._loop.add_reader(self._engine.fileno(), self.turn)

    def stop(self) -> None:
        """Take no more."""
        self._behind = False
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._engine.fileno())

    def turn(self) -> int:
        """Take one batch and do all of it. Returns how many items there were."""
        if self._journal.waiting > BACKLOG_GROUPS * self._limit:
            # The disk is behind: the shards' queues fill, then the sockets push back.
            if self._watching:
                self.stop()
                self._behind = True
            return 0
        born_ns, items = self._engine.take(self._limit)
        if not items:
            return 0
        services = self._services
        services.now_ms = time.time_ns() // 1_000_000
        services.rates.now = time.monotonic_ns() // 1_000_000
        work = self._decode(items)
        self._run(work)
        services.view.forget_preloaded()
        self._journal.commit()
        self._delivery.flush()
        services.connected.clear()
        if work:
            self._metrics.batch_messages.observe(len(work))
            self._delivery.arrived(born_ns, len(work))
        return len(items)

    def act(self, work: Callable[[], None]) -> None:
        """Do something between two turns, commit it and let out what waits for nothing.

        Nothing is done any more once another gateway has taken over.
        """
        if self._journal.dead:
            return
        services = self._services
        services.now_ms = time.time_ns() // 1_000_000
        services.rates.now = time.monotonic_ns() // 1_000_000
        work()
        self._journal.commit()
        self._delivery.flush()
        services.connected.clear()

    def catch_up(self) -> None:
        """The journal has released a group: go on with the batches that were left waiting."""
        if self._behind and self._journal.waiting <= BACKLOG_GROUPS * self._limit:
            self.start()

    # -- another gateway over the same engine -----------------------------------------------------

    def suspend(self) -> None:
        """Take no more, and let what waits behind a busy command wait."""
        self.stop()
        self._suspended = True

    def hand_over(self) -> list[Waiting]:
        """What waits, as the next gateway needs it.

        A command that the application still thinks about has changed nothing: it is begun again.
        """
        found: list[Waiting] = []
        # Who asks about a send under way comes after it.
        callers = sorted(self._callers.values(), key=lambda caller: type(caller.doing) is Outcome)
        for caller in callers:
            waits = caller.busy and caller.doing is None
            commands = [*caller.parked]
            if caller.busy and caller.doing is not None:
                commands.insert(0, caller.doing)
            if not caller.gone and (commands or waits or caller.weight):
                session = (caller.user, caller.device, caller.encoding, caller.token)
                state = (waits, caller.weight, caller.replaced)
                found.append((caller.conn, session, state, list(map(portable, commands))))
        return found

    def take_over(self, waiting: list[Waiting]) -> None:
        """Go on with what an earlier gateway left; before `start`."""

        def resume() -> None:
            for conn, session, (waits, weight, replaced), commands in waiting:
                caller = Caller(conn, *session)
                caller.busy, caller.weight, caller.replaced = waits, weight, replaced
                for command in commands:
                    caller.parked += revived(command)
                self._hold(caller)
                if not waits:
                    self.resume(caller)

        self.act(resume)

    def _decode(self, items: list[tuple[Any, ...]]) -> list[tuple[Caller, Command | CommandError]]:
        work: list[tuple[Caller, Command | CommandError]] = []
        keys: list[tuple[str, str]] = []
        waiting = self._callers
        speaking: dict[int, Caller] = {}
        for item in items:
            if item[0] != _engine.COMMANDS:
                self._note(item, speaking)
                continue
            _, conn, user, device, encoding, frames, token = item
            # One connection may speak more than once in a batch, and others in between.
            caller = speaking.get(conn) or waiting.get(conn)
            if caller is None:
                caller = Caller(conn, user, device, encoding, token)
            speaking[conn] = caller
            for frame in frames:
                for command in decode_frame(frame, encoding):
                    work.append((caller, command))
                    if type(command) is Send and user is not None:
                        keys.append((user, command.key))
        if keys:
            self._services.view.preload_keys(keys)
        return work

    def _run(self, work: list[tuple[Caller, Command | CommandError]]) -> None:
        """Run commands now, or behind the one of their connection that waits (one at a time)."""
        services, handlers = self._services, HANDLERS
        for caller, command in work:
            if caller.busy or caller.parked:
                if not overtake(command, caller, services):
                    self._park(caller, command)
                continue
            caller.doing = command
            handlers[type(command)](command, caller, services)
            if caller.busy or caller.weight > self._heavy:
                self._keep(caller)

    def _park(self, caller: Caller, command: Command | CommandError) -> None:
        waiting = len(caller.parked)
        if waiting < PARKED_COMMANDS:
            caller.parked.append(command)
            if waiting + 1 == PARKED_COMMANDS:
                self._delivery.close(caller, CLOSE_CODES["RATE_LIMITED"], "too many commands wait")

    def resume(self, caller: Caller) -> None:
        """Run what waited while `caller` was busy."""
        if self._suspended:
            return
        if not caller.parked:
            self._keep(caller)
            return
        parked, caller.parked = caller.parked, []
        for at, command in enumerate(parked):
            if caller.busy or (caller.weight > self._soft and not caller.gone):
                caller.parked = parked[at:]
                break
            caller.doing = command
            HANDLERS[type(command)](command, caller, self._services)
        self._keep(caller)

    def replace(self, user: str, device: str, conn: int) -> None:
        """Void the acks that older connections of a device still wait with (I6)."""
        newest = self._callers.get(conn)
        if newest is not None:
            # It was kept before anybody knew whose it is: while the application was asked.
            self._hold(newest)
        others = self._of_user.get(user)
        if others is not None:
            for caller in others.values():
                if caller.device == device and caller.conn != conn:
                    caller.replaced = True
        log = self._delivery.connection_log
        if log is not None:
            for older in self._lines_of(user, device):
                if older != conn:
                    log.replaced(older, user, device)

    def _lines_of(self, user: str, device: str) -> list[int]:
        """Connections of a device: those of the engine, and the one that connected in this turn."""
        found = [line for line, name in self._engine.sessions_of(user) if name == device]
        now = self._services.connected.get(user, {}).get(device)
        return found if now is None else [*found, now]

    def _hold(self, caller: Caller) -> None:
        self._callers[caller.conn] = caller
        if caller.user is not None:
            self._of_user.setdefault(caller.user, {})[caller.conn] = caller

    def _let_go(self, conn: int) -> Caller | None:
        caller = self._callers.pop(conn, None)
        if caller is not None and caller.user is not None:
            others = self._of_user.get(caller.user)
            if others is not None:
                others.pop(conn, None)
                if not others:
                    del self._of_user[caller.user]
        return caller

    def _keep(self, caller: Caller) -> None:
        """Remember a caller as long as something of it waits."""
        if caller.gone:
            return
        if caller.busy:
            self._hold(caller)
        elif caller.weight > self._heavy:
            # Its pages may fill its outbox: go on when the engine says that they are out.
            self._hold(caller)
            caller.busy = True
            caller.doing = None
            self._delivery.now.append((OPS.notify, caller.conn))
        else:
            self._let_go(caller.conn)

    def _note(self, item: tuple[Any, ...], speaking: dict[int, Caller]) -> None:
        """Something else than commands: a connection is gone, or its outbox has drained."""
        kind, conn = item[0], item[1]
        if kind == _engine.WRITABLE:
            caller = self._callers.get(conn)
            if caller is not None:
                caller.busy = False
                caller.weight = 0
                self.resume(caller)
        elif kind == _engine.MISSED:
            channels.catch_up(conn, item[5], item[4], self._services)
        elif kind == _engine.CLOSED:
            caller = self._let_go(conn) or speaking.get(conn)
            if caller is not None:
                caller.gone = True
                # The engine names the session unless it is another connection's by now.
                caller.replaced = caller.replaced or item[2] is None
            if self._delivery.connection_log is not None:
                self._delivery.connection_log.closed(conn, item[2], item[3], item[4])
            self._services.rates.forget(conn)
            self._part(conn, item[2], item[3])
            if self._services.hooks is not None:
                self._services.hooks.closed(conn, item[4])
            self._delivery.msgpack_sessions -= item[5] == _engine.MSGPACK

    def _part(self, conn: int, user: str | None, device: str | None) -> None:
        """A connection is gone; without a user it had no session, or that is another's by now."""
        services = self._services
        services.presence.closed(conn, services.rates.now)
        if user is not None and device is not None:
            services.presence.disconnected(user, device, services.rates.now, services.now_ms)
            if services.push is not None:
                services.push.parted(user)


def portable(command: Command | CommandError) -> bytes | tuple[Any, ...]:
    """A command in a form that does not depend on the classes of this version."""
    if isinstance(command, CommandError):
        return msgspec.structs.astuple(command)
    return msgspec.json.encode(command)


def revived(command: bytes | tuple[Any, ...]) -> list[Command | CommandError]:
    """The same as a command again."""
    return [CommandError(*command)] if isinstance(command, tuple) else decode_frame(command, JSON)


def echo_settings(
    address: str, shards: int, max_message: int, max_fragments: int, *, deflate: bool
) -> EngineSettings:
    """An engine that sends every message back, without limits on rates, at `/`."""
    return EngineSettings(
        address=address,
        shards=shards,
        max_connections=1 << 20,
        path="/",
        subprotocols=False,
        echo=True,
        deflate=deflate,
        max_message=max_message,
        max_fragments=max_fragments,
        max_inflated=max_message,
        outbox_soft=max(256 * 1024, 2 * max_message),
        outbox_hard=1 << 40,
        outbox_total=1 << 40,
        control_per_second=0,
    )
