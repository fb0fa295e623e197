"""A node: the parts put together, started, and ended in order.

Start: store, engine, api, then the `ready` line. End (SIGTERM): not ready, nobody new, what was
taken is finished and durable, everybody is sent off with a slot to come back in, exit 0.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import structlog

from hivewire import gateway
from hivewire.api import Access, Api, Calls, Context, Polls
from hivewire.api.media import store as store_media
from hivewire.auth import link_secret, ticket_secret
from hivewire.auth.fetcher import PublishedKeys
from hivewire.chores import Chores
from hivewire.clock import monotonic_ms, wall_ms
from hivewire.core.access import load_revocations
from hivewire.core.view import View
from hivewire.delivery import Delivery, Owed
from hivewire.delivery.retention import Retention
from hivewire.delivery.trace import Trace
from hivewire.draining import finish_taken, let_go, see_off, take_to_the_disk, tell_the_rest
from hivewire.following import logs_of
from hivewire.foundation import adopted, founded, verifier_for
from hivewire.gateway import Gateway
from hivewire.handlers import Services
from hivewire.handlers.rates import Rates
from hivewire.handlers.told import limits_of
from hivewire.handover import Handover
from hivewire.hooks.bridge import Bridge
from hivewire.hooks.sender import NodeSender
from hivewire.media import Media
from hivewire.metrics import store_figures
from hivewire.presence import Ticker, succession
from hivewire.probes import Probes
from hivewire.push import pusher_for
from hivewire.soon import InTurn
from hivewire.store.journal import Commit, Journal, ThreadCommitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.config import Settings
    from hivewire.hooks import App
    from hivewire.store.journal import Group

log = structlog.get_logger(__name__)

FATAL_STATUS = 70
"""Exit status after a failed write or sync: EX_SOFTWARE; a supervisor starts the node again."""
API_SECONDS = 0.5
"""How long requests may take that are being answered when another node takes over; those that take
longer are answered beside it."""
HOOKS_SECONDS = 0.25
"""How long the application may think before its questions are put to the next one instead."""


class Node:
    """One node on the running loop. Raises StoreError or OSError where it cannot start."""

    def __init__(
        self,
        settings: Settings,
        application: App | None = None,
        left: Handover | None = None,
    ) -> None:
        self.settings = settings
        self.application = application
        self.loop = asyncio.get_running_loop()
        self.keys = PublishedKeys(settings, self.loop)
        self.verifier = verifier_for(settings, application, self.keys.keyring)
        store = settings.store
        self.metrics, self.store, self.engine = founded(settings) if left is None else adopted(left)
        self.view = View(self.store, store.cache_users, store.cache_history, store.cache_unread)
        self._chores = Chores(self.loop, store.cursor_delay)
        self.polls = Polls(gateway.OPS, settings.api.polls, settings.limits.devices)
        self.calls = Calls(self.engine, gateway.OPS, self.polls.heard)
        self.trace = Trace()
        self.delivery = self._delivery()
        self.journal = self.delivery.journal = self._journal()
        self.ticker = Ticker(
            settings,
            self.delivery,
            self.metrics,
            devices=self.engine.devices,
            call_later=self.loop.call_later,
            clock=monotonic_ms,
            jitter=random.random,
        )
        self._in_turn = InTurn(self.loop.call_soon, self._run_when_durable)
        self._load_revocations()
        self.services = self._services()
        self.gateway = Gateway(self.engine, self.services, self.journal, self.loop)
        secret = link_secret(settings.auth, self.store.secret)
        self.media = Media(settings, self.delivery, self.gateway.act, secret, wall_ms)
        self.bridge = None if application is None else self._bridge(application)
        self.services.hooks = self.bridge
        self.push = self.services.push = pusher_for(
            settings, self.delivery, self.metrics, self.gateway.act, self.engine.devices
        )
        self.calls.bind(self.services, self.gateway.act)
        self.context = self._context()
        self.api = Api(self.context)
        self._probes = Probes(self.metrics, self.loop, gateway.interpreter_wait)
        self.suspended_at = 0.0
        """When commands began to wait for another node, in seconds of the loop's clock."""
        self.edge = "" if left is None else left.edge
        self._ending: asyncio.Task[None] | None = None
        self.retention = Retention(
            self.delivery, store.retention, store.retention_pass, self._is_here
        )
        self._chores.bind(self.services, self.retention)
        self._state = "starting"
        if left is not None:
            self._inherit(left)

    def _journal(self) -> Journal[Owed]:
        return Journal(
            self.store,
            ThreadCommitter(self.loop.call_soon_threadsafe),
            release=self._release,
            fatal=self._fatal,
            payload=self.delivery.owe,
            bound=self.settings.limits.commit_queue,
            observe=self._observe,
        )

    def _delivery(self) -> Delivery:
        return Delivery(
            self.calls,
            gateway.OPS,
            self.view,
            self.metrics,
            receipts_soon=self._chores.receipts,
            heads_soon=self._chores.heads,
            logs=logs_of(self.settings.log, gateway.CLOSE_CODES),
        )

    def _load_revocations(self) -> None:
        before = wall_ms() - self.settings.auth.revocations_kept
        load_revocations(self.store, self.verifier.revocations, before)

    def _services(self) -> Services:
        settings = self.settings
        return Services(
            settings=settings,
            view=self.view,
            delivery=self.delivery,
            verifier=self.verifier,
            rates=Rates(settings),
            metrics=self.metrics,
            ticket_secret=ticket_secret(settings.auth, self.store.secret, settings.jwks.urls),
            act=self._act,
            fetch_keys=self.keys.fetch,
            limits=limits_of(settings),
            close_codes=gateway.CLOSE_CODES,
            heartbeat_range=gateway.HEARTBEAT_RANGE,
            devices=self.engine.devices,
            presence=self.ticker.presence,
            later=self._in_turn,
            move_cursor_soon=self._chores.cursors,
        )

    def _context(self) -> Context:
        """What the api sees of this node."""
        return Context(
            settings=self.settings,
            services=self.services,
            calls=self.calls,
            polls=self.polls,
            access=Access(self.services, wall_ms),
            metrics=self.metrics,
            why_not_ready=self._why_not_ready,
            sessions=self.engine.sessions_of,
            connections=self.engine.connections,
            users=self.engine.users,
            trace=self.trace,
            passages=self.engine.passages,
            edge=lambda: self.edge,
            clock_ms=wall_ms,
            media=self.media,
            store_media=partial(store_media, self.media),
            media_url=lambda media: self.media.links.path(media, wall_ms()),
        )

    def _bridge(self, application: App) -> Bridge:
        """Connect an application with this node."""
        act = self.gateway.act
        bridge = Bridge(
            application,
            self.settings,
            loop=self.loop,
            metrics=self.metrics,
            act=act,
            devices=self.engine.devices,
            sender=NodeSender(self.delivery, act, lambda: self.services.now_ms),
        )
        if bridge.observes:
            self.delivery.released = bridge.released
        self.metrics.application = bridge.figures
        return bridge

    async def start(self) -> tuple[str, str]:
        """Accept connections. Returns the addresses of edge and api, `HOST:PORT`."""
        if self.bridge is not None:
            await self.bridge.start()
        host, port = self.engine.listen()
        self.edge = f"{host}:{port}"
        self._begin()
        await self.media.start()
        api = await self.api.start()
        self._state = "ready"
        return self.edge, str(api)

    def _begin(self) -> None:
        """Take what the engine has, and do what has its time."""
        self.metrics.engine = self.engine.stats
        self.metrics.store = partial(store_figures, self.store.property)
        self.metrics.polls = lambda: self.polls.open
        self.metrics.history = self.view.tails.figures
        self.metrics.presence = self.ticker.presence.figures
        self.keys.start()
        self.metrics.media = self.media.figures
        self.gateway.start()
        self._probes.start()
        self._chores.start()
        if self.push is not None:
            self.push.start()

    # -- another node over the same engine -------------------------------------------------------

    async def hand_over(self, hush: Callable[[], None]) -> Handover:
        """Come to rest, and leave engine, listeners and store to another node.

        Everything that was taken is done and durable, but what the application still thinks about:
        that is begun again. Commands wait in the engine from here on.

        Args:
            hush: Sees to it that applications send nothing more through this node.

        Raises:
            Exception: Whatever it was, this node serves no more, once `suspended_at` is set.
        """
        listener = self.api.share()
        await let_go("uploads", self.media.rest())
        self._ending = asyncio.create_task(self.api.stop(), name="api of before")
        await asyncio.wait((self._ending,), timeout=API_SECONDS)
        self.suspended_at = self.loop.time()
        self.calls.refuse()
        self.gateway.suspend()
        self._stop_timers()
        bridge, until = self.bridge, time.monotonic() + HOOKS_SECONDS
        if bridge is not None:
            bridge.hold()
            while bridge.is_asked and time.monotonic() < until:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        if self.push is not None:
            # What is under way is in the outbox still, and done again.
            await let_go("pushes", self.push.stop())
        await let_go("published keys", self.keys.stop())
        hush()
        await let_go("uploads", self.media.stop())
        self.delivery.put_gathered()
        while not self._is_at_rest():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        self._chores.tell()
        self._chores.stop()
        self.calls.stop()
        self.journal.close()
        return Handover(
            engine=self.engine,
            edge=self.edge,
            listener=listener,
            store=self.store,
            metrics=self.metrics,
            waiting=self.gateway.hand_over(),
            msgpack_sessions=self.delivery.msgpack_sessions,
            standing=succession.hand_over(self.ticker.presence),
            unfinished=None if bridge is None else bridge.hand_over(),
            retention=self.retention.place,
            keys=self.keys.hand_over(),
            trace=self.trace.hand_over(),
            trail=[] if self.push is None else self.push.trail.hand_over(),
        )

    def _is_at_rest(self) -> bool:
        """Whether nothing is on its way to the disk; what was gathered is sent there."""
        self.delivery.cursors()
        return self.journal.is_idle and self._in_turn.is_idle

    def _inherit(self, left: Handover) -> None:
        """Know what the node before knew."""
        self.delivery.msgpack_sessions = left.msgpack_sessions
        succession.take_over(self.ticker.presence, left.standing, monotonic_ms())
        self.retention.place = left.retention
        self.keys.take_over(left.keys)
        self.trace.take_over(left.trace)
        if self.push is not None:
            self.push.trail.take_over(left.trail)

    async def take_over(self, left: Handover) -> None:
        """Go on where another node has come to rest: this one was made with what it left."""
        due = self.ticker.presence.due
        if due is not None:
            self.ticker.wake(due)
        if self.bridge is not None and left.unfinished is not None:
            here = self.engine.sessions() if self.bridge.keeps_sessions else ()
            self.bridge.take_over(left.unfinished, here)
        self.gateway.take_over(left.waiting)
        self._begin()
        self._state = "ready"
        await self.media.take_over()
        await self.api.start(left.listener)

    async def ended(self) -> None:
        """Wait for the last requests that this node still answers beside the one that followed."""
        if self._ending is not None:
            await self._ending
            self.media.close()

    async def drain(self) -> None:
        """Finish what was taken, send everybody off, and let go of everything."""
        self._state = "draining"
        self.api.drain()
        until = time.monotonic() + self.settings.drain.time / 1000
        self.engine.pause()
        await finish_taken(self.gateway, self.delivery, self.bridge, until)
        parting = self.ticker.part(self.engine.users(), wall_ms())
        # Who is here is taken down before anybody is sent off: whose line hangs until the end was
        # here too.
        next(parting, None)
        self.engine.drain(self.settings.drain.spread)
        await see_off(self.engine, self.gateway, self.delivery, parting, until)
        await take_to_the_disk(self.delivery)
        if self.bridge is not None:
            await tell_the_rest(self.bridge, until)
        await self.stop()

    async def stop(self) -> None:
        """Let go of everything at once."""
        self._state = "stopped"
        if self.bridge is not None:
            await self.bridge.stop()
        if self.push is not None:
            await self.push.stop()
        self.gateway.stop()
        self._stop_timers()
        self._probes.join()
        await self.keys.stop()
        self.engine.stop()
        # No release any more: it would hand its answers to an engine that is gone.
        self.journal.close()
        await self.media.stop()
        self.calls.stop()
        await self.api.stop()
        self.media.close()
        self.store.close()

    def _stop_timers(self) -> None:
        self._probes.stop()
        self.ticker.stop()
        self._chores.stop()

    def _act(self, work: Callable[[], None]) -> None:
        if self._state != "stopped":
            self.gateway.act(work)

    def _release(self, group: Group[Owed]) -> None:
        self.delivery.release(group)
        self.trace.released(group.payload)
        self.gateway.catch_up()

    def _observe(self, commit: Commit) -> None:
        metrics = self.metrics
        metrics.commits += 1
        metrics.puts += commit.puts
        metrics.commit_seconds.observe(commit.write_seconds + commit.sync_seconds)
        metrics.sync_seconds.observe(commit.sync_seconds)
        metrics.commit_messages.observe(commit.entries)
        self.trace.committed(commit)

    def _fatal(self, error: BaseException) -> None:
        """End as if killed: the disk failed, and what it kept is unknown until it is read again.

        Nobody is told anything more.
        """
        try:
            log.error("the store failed; the node stops", error=str(error))
            sys.stderr.flush()
        finally:
            # Standard error may lie on the same full disk.
            os._exit(FATAL_STATUS)

    def _run_when_durable(self, work: Callable[[], None]) -> None:
        if self._state != "stopped":
            self.gateway.act(lambda: self.delivery.when_durable(work))

    def _is_here(self, user: str, device: str) -> bool:
        coming = (name for name, _ in self.services.connecting.get(user, ()))
        return device in self.engine.devices(user) or device in coming

    def _why_not_ready(self) -> str | None:
        if self.journal.dead:
            return "the store failed"
        if self._state == "ready" and self.engine.stats().get("memory_pressure"):
            return "memory is short: newcomers are refused"
        return None if self._state == "ready" else self._state
