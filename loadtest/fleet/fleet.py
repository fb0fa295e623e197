"""A fleet where its sockets are: clients that come, act, settle and are checked."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from loadtest.fleet import lines
from loadtest.fleet.chores import Chores
from loadtest.fleet.client import Client, Refused
from loadtest.fleet.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from loadtest.fleet.objects import Said
    from loadtest.fleet.tally import Tally
    from loadtest.fleet.wire import Target

TICK_SECONDS: Final = 0.05
ACK_SECONDS: Final = 2.0
PRUNE_SECONDS: Final = 30.0
END_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.25
BACKOFF_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
"""How long the next attempt waits at most; the time itself is drawn evenly (full jitter)."""
GROUP_MEMBERS: Final = 500


class Fleet:
    """Some hundred clients that know each other. Scenarios derive from it.

    Attributes:
        clients: all clients, by their `index`.
        rng: its own source of chance.
    """

    size: ClassVar[int] = 500

    def __init__(
        self,
        number: int,
        first: int,
        size: int,
        target: Target,
        tally: Tally,
        gate: asyncio.Semaphore,
    ) -> None:
        self.target = target
        self.tally = tally
        self.ledger = Ledger(tally)
        self.rng = random.Random(f"{target.run} {number}")
        self.acks: set[Client] = set()
        self.cut_off: set[Client] = set()
        self.standing = 0
        self.number = number
        self.clients: Sequence[Client] = [
            Client(self, index, first + index) for index in range(size)
        ]
        self._gate = gate
        self._epoch = ""
        self._groups = 0
        self._quiet_seconds = 60.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._returns: dict[Client, asyncio.TimerHandle] = {}
        self._coming: set[Client] = set()
        self._delays: dict[Client, float] = {}
        self._playing: asyncio.Task[None] | None = None
        self._going_down = False

    # -- what a scenario may use and override ------------------------------------------------------

    async def prepare(self) -> None:
        """Make groups and the like, once all clients are live; nothing unless overridden."""

    async def group(self, members: Sequence[Client], kind: str = "group") -> str:
        """Make a group (or `channel`) of these clients, the first its owner; its conversation."""
        owner = members[0]
        self._groups += 1
        name = f"{self.target.run}.{self.number}.{self._groups}"
        said = await owner.ask(
            "group.create",
            key=f"make.{name}",
            group=name,
            kind=kind,
            name=name,
            history="all",
            members=[member.user for member in members[1:GROUP_MEMBERS]],
        )
        if kind == "group":
            for member in members:
                member.reader.belongs(said.conv)
        return said.conv

    async def groups(self, size: int) -> list[str]:
        """Split all clients into groups of this size: client `i` is in group `i // size`."""
        parts = [self.clients[at : at + size] for at in range(0, len(self.clients), size)]
        return [await self.group(part) for part in parts]

    def others(self, client: Client, count: int) -> list[Client]:
        """Some clients other than this one."""
        chosen = self.rng.sample(self.clients, min(count + 1, len(self.clients)))
        return [other for other in chosen if other is not client][:count]

    # -- its life ----------------------------------------------------------------------------------

    async def come(self) -> None:
        """Bring all clients up, prepare, and start the chores."""
        await asyncio.gather(*(self._bring(client) for client in self.clients))
        await self.prepare()
        self._playing = asyncio.get_running_loop().create_task(self._play())

    async def _play(self) -> None:
        chores, then = Chores[Client](self, self.rng, self.target.pace), monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = monotonic()
            for method, client in chores.due(self.clients, now - then):
                done = method(client)
                if asyncio.iscoroutine(done):
                    self.spawn(done)
            then = now

    async def sweep(self) -> None:
        """Acknowledge what came in and forget what all have, for as long as the fleet lives."""
        pruned = monotonic()
        while True:
            await asyncio.sleep(ACK_SECONDS * self.rng.uniform(0.8, 1.2))
            self._acknowledge()
            if monotonic() > pruned + PRUNE_SECONDS:
                pruned = monotonic()
                self.ledger.prune()

    def _acknowledge(self) -> None:
        waiting, self.acks = self.acks, set()
        for client in waiting:
            client.acknowledge()

    def cut(self, share: float, away: float, spread: float) -> None:
        """Cut a share of all lines; each comes back when its own time has come (full jitter)."""
        chosen = self.rng.sample(self.clients, round(share * len(self.clients)))
        # Who is off the line anyway has nothing to lose.
        here = [client for client in chosen if not client.away]
        self.cut_off.update(here)
        for client in here:
            client.cut(away + self.rng.uniform(0, spread))

    async def settle(self, seconds: float) -> float:
        """Stop acting, bring everybody back, wait until all have all, check; how long it took."""
        if self._playing is not None:
            self._playing.cancel()
        for client in list(self._returns):
            self.comes_back(client, 0)
        began = monotonic()
        await self._until(self._quiet, seconds)
        for client in self.clients:
            client.ask_head()
        await self._until(lambda: all(client.told for client in self.clients), seconds)
        self._acknowledge()
        self._judge()
        return monotonic() - began

    async def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        """Look now and then; give up after so many seconds."""
        deadline = monotonic() + seconds
        # What is waited for is the sum of what many lines do, so none of them can tell.
        while monotonic() < deadline and not reached():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    def _quiet(self) -> bool:
        return (
            all(client.idle() for client in self.clients)
            and self.ledger.behind() == 0
            and not self._hidden()
        )

    def _hidden(self) -> list[str]:
        return [
            f"{client.user} sees {user} as {state or 'nothing'}"
            for client in self.clients
            for user, state in (client.shows or {}).items()
            if state != "online"
        ]

    def _judge(self) -> None:
        self.ledger.close()
        hidden = self._hidden()
        if hidden:
            self.tally.fault("presence", hidden[0], len(hidden))
        for client in self.clients:
            if client.unanswered():
                words = f"{client.user}: {client.unanswered()} sends"
                self.tally.fault("unanswered", words, client.unanswered())
            if not (client.live and client.told):
                self.tally.fault("absent", f"{client.user} is not live, or does not answer a ping")

    def goes_down(self) -> None:
        """The node is about to end: its clients stay away."""
        self._going_down = True

    async def end(self) -> None:
        """Close all lines and everything that runs."""
        for task in [self._playing, *self._tasks]:
            if task is not None:
                task.cancel()
        for handle in self._returns.values():
            handle.cancel()
        for client in self.clients:
            client.end()
        await self._until(lambda: not self.standing, END_SECONDS)

    # -- what its clients tell it ------------------------------------------------------------------

    def conversation(self, sender: Client, to: Client | str) -> str:
        """Where a message goes; who must get it is noted."""
        if isinstance(to, str):
            return to
        conv = f"direct:{','.join(sorted((sender.user, to.user)))}"
        sender.reader.belongs(conv)
        to.reader.belongs(conv)
        return conv

    def token(self, user: str) -> str:
        """A token for a first connect."""
        return lines.token(user, self.target.key, self.target.algorithm)

    def welcome(self, said: Said) -> str:
        """A client is connected; the node's epoch, as one string for all clients."""
        self.standing += 1
        if said.heartbeat is not None:
            self._quiet_seconds = (said.heartbeat.interval_ms + said.heartbeat.timeout_ms) / 1000
        if self._epoch != said.epoch:
            self._epoch = said.epoch
        return self._epoch

    def silent(self) -> int:
        """Clients that have heard nothing for longer than the heartbeat allows."""
        since = monotonic() - self._quiet_seconds
        return sum(client.live and client.heard < since for client in self.clients)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something beside; a line that ends under it, or a refusal, ends it and is counted."""
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except (OSError, Refused):
            self.tally.counts["cut short"] += 1

    def bye(self, client: Client, delay: float) -> None:
        """The node gave a client its slot to come back in."""
        self._delays[client] = delay

    def gone(self, client: Client, *, ours: bool, why: str) -> None:
        """A line ended that stood; one that we did not end is the node's doing."""
        self.standing -= 1
        delay = self._delays.pop(client, None)
        if ours:
            return
        client.away = True
        if self._going_down:
            return
        self.tally.fail("line", f"ended by the node: {why}")
        self.comes_back(client, self.rng.uniform(0, 1) if delay is None else delay)

    def comes_back(self, client: Client, after: float) -> None:
        """Have a client dial again after so many seconds."""
        earlier = self._returns.pop(client, None)
        if earlier is not None:
            earlier.cancel()
        self._returns[client] = asyncio.get_running_loop().call_later(after, self._due, client)

    def _due(self, client: Client) -> None:
        del self._returns[client]
        self.spawn(self._bring(client))

    async def _bring(self, client: Client) -> None:
        """Connect, unless that is under way already or done."""
        if client not in self._coming and not client.live:
            self._coming.add(client)
            try:
                await self._attempt(client)
            finally:
                self._coming.discard(client)

    async def _attempt(self, client: Client) -> None:
        """At most so many clients at a time; back off after a failure."""
        for ceiling in BACKOFF_SECONDS:
            if self._going_down or client in self._returns:
                # Who left again while he came has his time to return already.
                return
            try:
                async with self._gate:
                    await client.come()
            except lines.TurnedAway as away:
                self.tally.counts["turned away"] += 1
                wait = away.seconds + self.rng.uniform(0, ceiling)
            except (OSError, Refused) as error:
                if client in self._returns:
                    # Our own doing: it was cut, or left, before it was all there.
                    self.tally.counts["cut short"] += 1
                    continue
                self.tally.fail("connect", str(error) or type(error).__name__)
                wait = self.rng.uniform(0, ceiling)
            else:
                # It may have been cut in the very moment in which all was done.
                if client.live:
                    self.cut_off.discard(client)
                    return
                wait = self.rng.uniform(0, ceiling)
            await asyncio.sleep(wait)
