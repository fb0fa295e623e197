"""Push notifications of one node: who may register, and everything that delivers."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from hivewire.clock import wall_ms
from hivewire.push.dead import dead_letters, revive
from hivewire.push.dispatcher import Dispatcher
from hivewire.push.payload import push_id
from hivewire.push.requests import Requests
from hivewire.push.slots import Slots
from hivewire.push.sweep import CROWDED_MS, PASS_MS, STEP_MS, sweep
from hivewire.push.transport import Outcome, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.config import Settings
    from hivewire.core.commands import PushRegister
    from hivewire.core.entries import MarkEntry, Rejection
    from hivewire.delivery import Delivery
    from hivewire.metrics import Metrics
    from hivewire.push.dead import DeadLetter
    from hivewire.push.outlook import Job
    from hivewire.push.trail import Trail
    from hivewire.push.webpush import WebPush
    from hivewire.store.pushes import Registration

log = structlog.get_logger(__name__)


class Clock:
    """The clocks and dice of a running node."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return wall_ms()

    def call_later(self, seconds: float, call: Callable[[], None], /) -> asyncio.TimerHandle:
        """Call once, after so long."""
        return self._loop.call_later(seconds, call)

    def chance(self) -> float:
        """Random, from 0 to 1."""
        return random.random()  # noqa: S311 - it spreads retries


class Pusher:
    """Pushes of one node. Loop thread only.

    Args:
        settings: The node's; `push.is_on` holds.
        delivery: Where entries go.
        metrics: Where to count.
        loop: Runs the requests.
        act: Does something between two turns of the node, and commits it.
        devices: Names the devices with which a user is connected.

    Raises:
        KeyProblem: The key of Web Push cannot be used.
        OSError: It cannot be read or made.
    """

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        metrics: Metrics,
        *,
        loop: asyncio.AbstractEventLoop,
        act: Callable[[Callable[[], None]], None],
        devices: Callable[[str], list[str]],
    ) -> None:
        push, self._loop, self._act = settings.push, loop, act
        self._settings = push
        self._delivery = delivery
        self._store = delivery.view.store
        self._clock = Clock(loop)
        webpush = web_push(settings)
        self._requests = Requests(push, self._store, webpush, time.time)
        self._transport = Transport(push.timeout, push.concurrency, time.time)
        self._slots = Slots(push.concurrency)
        self._dispatcher = Dispatcher(
            push,
            delivery,
            metrics,
            self._clock,
            act=act,
            devices=devices,
            slots=self._slots,
            start=self._start,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self.offer: dict[str, Any] = {"webhooks": sorted(push.webhooks)}
        """What `connected` tells of it."""
        if webpush is not None:
            self.offer["webpush"] = webpush.public_key
        self.offer_json = msgspec.json.encode(self.offer)
        delivery.view.pushes = True
        delivery.pushes = self
        metrics.push = self.figures

    def start(self) -> None:
        """Go on with what is in the outbox."""
        self._sweep(b"")

    async def stop(self) -> None:
        """Let go of everything; what is under way is done again after the next start."""
        self._dispatcher.stop()
        if self._sweeping is not None:
            self._sweeping.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._transport.close()

    def registration(self, command: PushRegister, now_ms: int) -> Registration | Rejection:
        """What a client asks for, if it may have it."""
        return self._requests.registration(command, now_ms)

    def held(self, users: list[str]) -> None:
        """Messages for these users are in the outbox, and durable."""
        self._dispatcher.held(users)

    def read(self, mark: MarkEntry) -> None:
        """A user's mark is durable."""
        self._dispatcher.read(mark)

    def parted(self, user: str) -> None:
        """A device of this user has no line any more."""
        self._dispatcher.parted(user)

    def figures(self) -> dict[str, int]:
        """What `/metrics` shows at this moment."""
        return {"users": self._dispatcher.users, "under_way": self._slots.under_way}

    @property
    def trail(self) -> Trail:
        """What became of the newest pushes."""
        return self._dispatcher.trail

    # -- dead letters -----------------------------------------------------------------------------

    def dead(self, limit: int, user: str | None = None) -> list[DeadLetter]:
        """The first dead letters, of all users or of one."""
        return list(islice(dead_letters(self._store, user), limit))

    def replay(self, letters: list[DeadLetter]) -> None:
        """Deliver letters again; at most some hundred in one call."""

        def write() -> None:
            self._delivery.outbox(revive(letters, self._clock.now_ms()))
            self._delivery.when_durable(wake)

        def wake() -> None:
            for user in dict.fromkeys(letter.user for letter in letters):
                self._dispatcher.wake(user, self._clock.now_ms())

        self._act(write)

    # -- requests ---------------------------------------------------------------------------------

    def _start(self, job: Job) -> None:
        task = self._loop.create_task(self._send(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, job: Job) -> None:
        try:
            request = self._requests.of(job)
            if isinstance(request, Outcome):
                outcome = request
            else:
                outcome = await self._transport.post(request)
        except Exception:
            # A bug of ours must not stop the user's other pushes.
            kind = job.registration.kind
            log.exception("a push could not be made", **self._about(job), kind=kind)
            outcome = Outcome("dead", "internal")
        if outcome.result in ("dead", "gone"):
            log.warning("a push was given up", **self._about(job), error=outcome.said)
        elif self._delivery.message_log is not None:
            self._delivery.message_log.pushed(self._about(job), outcome.result, outcome.said)
        self._act(partial(self._settle, job, outcome))

    def _about(self, job: Job) -> dict[str, Any]:
        """What a line of the log says of a push."""
        push = push_id(job, self._store.epoch)
        place = {"conv": job.push.conv, "n": job.push.n, "seq": job.seq}
        return {"push": push, "user": job.user, "device": job.device, **place}

    def _settle(self, job: Job, outcome: Outcome) -> None:
        self._dispatcher.settled(job, outcome)
        self._dispatcher.released(job)

    # -- the walk through the outbox ---------------------------------------------------------------

    def _sweep(self, start: bytes) -> None:
        """One step, and then the next."""
        now, dispatcher = self._clock.now_ms(), self._dispatcher
        if not start:
            if dispatcher.overlooked and not dispatcher.has_room:
                self._sweep_in(CROWDED_MS, start)
                return
            dispatcher.overlooked = False
        step = sweep(self._store, start, now, self._settings.keep)
        dispatcher.found(step.users)
        if step.entry is not None:
            self._act(partial(self._delivery.outbox, step.entry))
        if step.following is not None:
            self._sweep_in(STEP_MS, step.following)
        else:
            self._sweep_in(CROWDED_MS if dispatcher.overlooked else PASS_MS, b"")

    def _sweep_in(self, ms: int, start: bytes) -> None:
        self._sweeping = self._loop.call_later(ms / 1000, self._sweep, start)


def pusher_for(
    settings: Settings,
    delivery: Delivery,
    metrics: Metrics,
    act: Callable[[Callable[[], None]], None],
    devices: Callable[[str], list[str]],
) -> Pusher | None:
    """What delivers pushes on the running loop, if the settings name anybody to push to."""
    if not settings.push.is_on:
        # A node before this one over the same engine may have pushed.
        metrics.push = None
        return None
    loop = asyncio.get_running_loop()
    return Pusher(settings, delivery, metrics, loop=loop, act=act, devices=devices)


def web_push(settings: Settings) -> WebPush | None:
    """The part that speaks Web Push, if it is on: only then its libraries are loaded."""
    if not settings.push.webpush:
        return None
    from hivewire.push.webpush import WebPush  # noqa: PLC0415 - as above

    return WebPush(settings.push, settings.store.path, time.time)
