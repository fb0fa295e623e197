"""Devices under load that live through crashes and write down all they see.

    fleet = Fleet(node, rng, users=4, devices=2)
    async with fleet:                      every device connects, catches up, sends, acks, comes
    back when cut
        await fleet.progress(200)          wait for 200 more answered sends
        fleet.crashed("kill"); node.kill9(); node.restart()
        await fleet.heal()                 settle every open send, read everything on every device
    assert_clean(fleet.history)

A device keeps to the rules of a good client: a send is open until it is answered, what is open is
sent again with the same key, in the same order, before anything new. Now and then it asks from an
older cursor than it has.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tests.chaos.history import (
    Ack,
    Answer,
    Connect,
    Connected,
    Crash,
    Event,
    Final,
    Healed,
    History,
    Invoke,
    LineEnded,
    Page,
    Push,
    Refusal,
    Settled,
    Sync,
)
from tests.e2e.rfc6455 import Ended, Refused
from tests.e2e.stranger import Closed, CommandFailed, Stranger
from tests.tokens import token

if TYPE_CHECKING:
    import random

    from tests.node import Node

BACKOFF_SECONDS = (0.02, 0.1)
HEAL_SECONDS = 40.0
GONE = (Closed, Ended, Refused, ConnectionError, TimeoutError)


class Fleet:
    """All devices of a run and their common history."""

    def __init__(
        self,
        node: Node,
        rng: random.Random,
        *,
        users: int = 4,
        devices: int = 2,
        window: int = 4,
        pause: float = 0.0,
        resyncs: float = 0.0,
        encodings: tuple[str, ...] = ("json", "msgpack"),
    ) -> None:
        self.node = node
        self.rng = rng
        self.window = window
        self.pause = pause
        """Seconds that a device rests between its sends."""
        self.resyncs = resyncs
        """How often (a share of its sends) a live device asks for pages again, sends being open."""
        self.history: History = []
        self.users = [f"user{number}" for number in range(users)]
        self.sending = True
        self.answered = 0
        self.lines = 0
        self.more = asyncio.Event()
        self.devices = [
            Device(self, user, f"device{number}", encodings[number % len(encodings)])
            for user in self.users
            for number in range(devices)
        ]

    async def __aenter__(self) -> Self:
        for device in self.devices:
            device.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for device in self.devices:
            await device.stop()

    def in_flight(self) -> int:
        return sum(len(device.open) for device in self.devices)

    async def progress(self, answers: int, patience: float = 30.0) -> None:
        """Wait until that many more sends were answered."""
        wanted = self.answered + answers
        async with asyncio.timeout(patience):
            while self.answered < wanted:
                self.raise_failures()
                self.more.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.more.wait(), 0.5)

    async def busy(self) -> None:
        """Wait until sends are open, so that what comes next hits work in flight."""
        while not self.in_flight():  # noqa: ASYNC110 - for less than a turn
            await asyncio.sleep(0)

    def crashed(self, how: str) -> None:
        """Note a crash; call it right before the kill."""
        self.history.append(Crash(time.monotonic_ns(), 0, "", "", how, self.in_flight()))

    async def heal(self) -> None:
        """No more faults and no new sends:

        settle, wait for quiet live lines, read everything everywhere.
        """
        self.sending = False
        self.history.append(Healed(time.monotonic_ns(), 0, "", ""))
        async with asyncio.timeout(HEAL_SECONDS):
            while self.in_flight() or not all(device.live for device in self.devices):
                self.raise_failures()
                await asyncio.sleep(0.01)
            for user in self.users:
                await self._settle([device for device in self.devices if device.user == user])
            for device in self.devices:
                await device.read_everything()

    async def _settle(self, devices: list[Device]) -> None:
        """All lines of a user arrive at the same head; a line that does not shows in its record."""
        head = max([await device.head() for device in devices])
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                while any(device.seen < head for device in devices):  # noqa: ASYNC110 - silence
                    await asyncio.sleep(0.01)
        for device in devices:
            self.history.append(Settled(*device.stamp(), device.seen))

    def raise_failures(self) -> None:
        """A device's task never ends by itself; when one did, tell why."""
        for device in self.devices:
            if device.task is not None and device.task.done():
                device.task.result()


class Device:
    """One device: a loop of connect, catch up, resend, send."""

    def __init__(self, fleet: Fleet, user: str, name: str, encoding: str) -> None:
        self.fleet = fleet
        self.user = user
        self.name = name
        self.encoding = encoding
        self.open: dict[str, tuple[str, str, str]] = {}
        """Sends without an answer, in the order of their first try: key → (to, conv, text)."""
        self.seen = 0
        self.live = False
        self.task: asyncio.Task[None] | None = None
        self._keys = 0
        self._line = 0
        self._stranger: Stranger | None = None
        self._asked: dict[int, str] = {}
        self._syncs: dict[int, int] = {}
        self._sync_ids = itertools.count(1_000_000)
        self._given: int | None = None
        self._room = asyncio.Event()

    def start(self) -> None:
        self.task = asyncio.create_task(self._live_on())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError, *GONE):
                await self.task
        self.cut()

    def stamp(self) -> tuple[int, int, str, str]:
        return time.monotonic_ns(), self._line, self.user, self.name

    async def head(self) -> int:
        """The head that the node tells on this line."""
        assert self._stranger is not None
        return (await self._stranger.call("ping")).get("head", self.seen)

    async def read_everything(self) -> None:
        """Read the timeline from its beginning on a line of its own, and keep it as final."""
        await self.stop()
        stranger, self._line = await self._dial(), self._next_line()
        self._given = None
        stranger.on_receive = self._receive
        await stranger.connect(token=token(self.user), device=self.name)
        stranger.on_receive = None
        events = await stranger.read_all(0)
        trimmed = stranger.connected["trimmed_before"]
        final = Final(*self.stamp(), tuple(map(Event.of, events)), trimmed)
        self.fleet.history.append(final)
        await stranger.leave()
        self._stranger = None

    # -- the loop --------------------------------------------------------------------------------

    async def _live_on(self) -> None:
        rng = self.fleet.rng
        while True:
            try:
                await self.connect(self._choose_cursor(), rng.choice([None, None, 1, 20, 500]))
                await self.catch_up()
                await self._send_on()
            except GONE:
                pass
            except CommandFailed as failed:
                if not failed.error["retryable"]:
                    raise
            finally:
                self.cut()
            await asyncio.sleep(rng.uniform(*BACKOFF_SECONDS))

    def _choose_cursor(self) -> int | None:
        """What the client claims to hold:

        what the server stored, what it has, or less than it has.
        """
        rng = self.fleet.rng
        return rng.choice([None, self.seen, rng.randint(0, self.seen)])

    async def connect(self, given: int | None, sync: int | None = None) -> None:
        """Dial and connect with this cursor; `sync` asks for a first page of that size."""
        self._line = self._next_line()
        self._asked.clear()
        self._syncs.clear()
        self._stranger = await self._dial()
        self._stranger.on_receive = self._receive
        self._given = given
        self.fleet.history.append(Connect(*self.stamp(), given))
        fields: dict[str, Any] = {} if given is None else {"cursor": given}
        if sync is not None:
            fields["sync"] = sync
        await self._stranger.connect(token=token(self.user), device=self.name, **fields)

    async def catch_up(self, *, pages: int = 1_000_000) -> None:
        """Ask page by page until live, or for that many pages."""
        asked = 0
        while not self.live and asked < pages:
            # Small pages first, so that there are seams; then large ones, or it may never end.
            await self.ask_page(self.fleet.rng.choice([1, 7, 100]) if asked < 4 else 500)
            asked += 1

    def ask_page(self, limit: int, back: int = 0) -> asyncio.Future[dict[str, Any]]:
        """Ask for the page behind what is held, or for one that begins `back` events before."""
        if self._stranger is None:
            raise Ended
        number = next(self._sync_ids)
        after = self._syncs[number] = max(0, self.seen - back)
        self.fleet.history.append(Sync(*self.stamp(), after))
        return self._stranger.ask("sync", id=number, after=after, limit=limit)

    async def _sync_again(self) -> None:
        """A sync while live stops the pushes until its last page; sends go on meanwhile."""
        rng = self.fleet.rng
        pages = [self.ask_page(rng.choice([1, 5, 500]), rng.randint(0, 20))]
        if rng.random() < 0.3:
            pages.append(self.ask_page(500, rng.randint(0, 5)))
        for key in list(self.open)[:2]:
            self._send(key)
        for page in pages:
            await page
        await self.catch_up()

    def cut(self) -> None:
        """Cut the line as a dead network does."""
        self.live = False
        if self._stranger is not None:
            self.fleet.history.append(LineEnded(*self.stamp()))
            self._stranger.cut()
            self._stranger = None

    async def _send_on(self) -> None:
        for key in list(self.open):
            self._send(key)
        while True:
            while self.fleet.sending and len(self.open) < self.fleet.window:
                self._send(self._new_send())
                await asyncio.sleep(self.fleet.pause)
            if self.fleet.rng.random() < self.fleet.resyncs:
                await self._sync_again()
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), 0.2)
            if self._stranger is None or self._stranger.over():
                raise Ended

    def _new_send(self) -> str:
        self._keys += 1
        key = f"{self.user}-{self.name}-{self._keys:06}"
        peer = self.fleet.rng.choice(self.fleet.users)
        conv = f"direct:{','.join(sorted((self.user, peer)))}"
        to = f"user:{peer}" if self.fleet.rng.random() < 0.5 else conv
        self.open[key] = (to, conv, f"text of {key}")
        return key

    def _send(self, key: str) -> None:
        stranger = self._stranger
        if stranger is None:
            raise Ended
        to, conv, text = self.open[key]
        number = 2_000_000 + len(self._asked)
        self._asked[number] = key
        self.fleet.history.append(Invoke(*self.stamp(), key, conv, text))
        stranger.ask("send", id=number, to=to, key=key, text=text)

    # -- what arrives ----------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        """Write down what came, in the order of arrival."""
        op = message["op"]
        if op == "event":
            self.fleet.history.append(Push(*self.stamp(), Event.of(message)))
            self._hold(message["seq"])
        elif op == "sent":
            self._receive_sent(message)
        elif op == "page":
            self._receive_page(self._syncs.pop(message["id"]), message)
        elif op == "connected":
            self._receive_connected(message)
        elif op == "error" and message.get("id") in self._asked:
            self._receive_refusal(message)

    def _receive_connected(self, message: dict[str, Any]) -> None:
        cursor, head = message["cursor"], message["head"]
        self.fleet.history.append(
            Connected(
                *self.stamp(),
                self._given,
                cursor,
                head,
                message["trimmed_before"],
                new_device=message["new_device"],
                reset=message["reset"],
            )
        )
        self.seen, self.live = cursor, cursor == head
        if "page" in message:
            self._receive_page(cursor, message["page"])

    def _receive_page(self, after: int, page: dict[str, Any]) -> None:
        events = tuple(map(Event.of, page["events"]))
        self.fleet.history.append(
            Page(*self.stamp(), after, events, page["next"], page["done"], page["trimmed_before"])
        )
        self.seen, self.live = page["next"], page["done"]

    def _receive_sent(self, message: dict[str, Any]) -> None:
        key = self._asked[message["id"]]
        self.open.pop(key, None)
        fields = (message["conv"], message["n"], message["seq"], message["dup"])
        self.fleet.history.append(Answer(*self.stamp(), key, *fields))
        self.fleet.answered += 1
        self.fleet.more.set()
        self._room.set()
        if self.live and not message["dup"]:
            self._hold(message["seq"])

    def _receive_refusal(self, error: dict[str, Any]) -> None:
        key = self._asked[error["id"]]
        if error["retryable"]:
            self._room.set()
            self.cut()
            return
        self.open.pop(key, None)
        self.fleet.history.append(Refusal(*self.stamp(), key, error["code"]))

    def _hold(self, seq: int) -> None:
        """The client holds everything up to here; it says so every few events."""
        self.seen = seq
        if self.fleet.rng.random() < 0.1:
            self.fleet.history.append(Ack(*self.stamp(), seq))
            assert self._stranger is not None
            self._stranger.tell("ack", seq=seq)

    # -- lines -----------------------------------------------------------------------------------

    async def _dial(self) -> Stranger:
        return await Stranger.dial(self.fleet.node, encoding=self.encoding)

    def _next_line(self) -> int:
        self.fleet.lines += 1
        return self.fleet.lines
