"""Devices under load that live through crashes and write down all they see.

    fleet = Fleet(node, rng, users=4, devices=2)
    async with fleet:                      every device connects, catches up, acts, acks, comes back
        await fleet.progress(200)          wait for 200 more answered commands
        fleet.crashed("kill"); node.kill9(); node.restart()
        await fleet.heal()                 settle every open command, read everything everywhere
    judge(fleet.history, tmp_path)

What they do is in `company`: direct messages, groups, a channel, edits, recalls, reactions, marks,
and changes of who is in the groups. How each keeps its line and its keys is in `device`.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.chaos.company import Team, makings
from tests.chaos.device import Device
from tests.chaos.history import Crash, Healed, History, Settled
from tests.chaos.reading import read_conversations

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.node import Node

HEAL_SECONDS = 40.0
HEADS_SECONDS = 0.5
"""Heads of channels are gathered before they are told."""
HEADS_PATIENCE = 1.5
"""How long they are waited for besides, on a machine that stands still now and then."""
TEAMS = (Team("group:all"), Team("group:late", 2, "joined"), Team("channel:news"))


class Fleet:
    """All devices of a run and their common history."""

    def __init__(
        self,
        node: Node,
        rng: random.Random,
        *,
        users: int | Sequence[str] = 4,
        devices: int | Sequence[str] = 2,
        window: int = 4,
        pause: float = 0.0,
        resyncs: float = 0.0,
        encodings: tuple[str, ...] = ("json", "msgpack"),
        teams: tuple[Team, ...] = TEAMS,
        lenient: bool = False,
        silence: float | None = None,
    ) -> None:
        self.node = node
        self.rng = rng
        self.window = window
        self.pause = pause
        """Seconds that a device rests between its deeds."""
        self.resyncs = resyncs
        """How often (a share of its deeds) a live device asks for pages again, sends being open."""
        self.teams = teams
        self.lenient = lenient
        """Whether a device goes on when the node tells it nonsense: the history has it."""
        self.silence = silence
        """Seconds without a word after which a device gives its line up."""
        self.history: History = []
        self.users = _named("user", users)
        self.heads: dict[str, int] = defaultdict(int)
        """How far each conversation has been answered."""
        self.sending = True
        self.answered = 0
        self.lines = 0
        self.more = asyncio.Event()
        self.faults: list[Exception] = []
        """What went wrong in a device while it listened."""
        self.devices = [
            Device(self, user, name, encodings[number % len(encodings)])
            for user in self.users
            for number, name in enumerate(_named("device", devices))
        ]
        self.devices[0].open |= {made.key: made for made in makings(teams, self.users)}

    async def __aenter__(self) -> Self:
        for device in self.devices:
            device.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for device in self.devices:
            await device.stop()

    def in_flight(self) -> int:
        return sum(len(device.open) for device in self.devices)

    def note_answer(self) -> None:
        self.answered += 1
        self.more.set()

    async def progress(self, answers: int, patience: float = 30.0) -> None:
        """Wait until that many more commands were answered."""
        wanted = self.answered + answers
        async with asyncio.timeout(patience):
            while self.answered < wanted:
                self.raise_failures()
                self.more.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.more.wait(), 0.5)

    async def busy(self) -> None:
        """Wait until commands are open, so that what comes next hits work in flight."""
        while not self.in_flight():  # noqa: ASYNC110 - for less than a turn
            await asyncio.sleep(0)

    def crashed(self, how: str) -> None:
        """Note a crash; call it right before the kill."""
        self.history.append(Crash(time.monotonic_ns(), 0, "", "", how, self.in_flight()))

    async def heal(self, patience: float = HEAL_SECONDS) -> None:
        """No more faults and nothing new:

        settle, wait for quiet live lines, read everything everywhere.
        """
        self.sending = False
        self.history.append(Healed(time.monotonic_ns(), 0, "", ""))
        async with asyncio.timeout(patience):
            while self.in_flight() or not all(
                device.live and not device.asking() for device in self.devices
            ):
                self.raise_failures()
                await asyncio.sleep(0.01)
            await asyncio.sleep(HEADS_SECONDS)
            await self._hear_heads()
            for user in self.users:
                await self._settle([device for device in self.devices if device.user == user])
            whole: set[str] = set()
            for device in self.devices:
                stranger = await device.read_everything()
                if device.user not in whole:
                    await read_conversations(device, stranger)
                    whole.add(device.user)
                await stranger.leave()
        if self.faults and not self.lenient:
            raise self.faults[0]

    async def _hear_heads(self) -> None:
        """Wait for the heads of channels a little longer; a broken node may have lost them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEADS_PATIENCE):
                while any(device.lacks_heads() for device in self.devices):  # noqa: ASYNC110 - silence
                    await asyncio.sleep(0.01)

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
        """A device's task never ends by itself; when one did, or could not listen, tell why."""
        if self.faults and not self.lenient:
            raise self.faults[0]
        for device in self.devices:
            if device.task is not None and device.task.done():
                device.task.result()


def _named(kind: str, which: int | Sequence[str]) -> list[str]:
    return [f"{kind}{number}" for number in range(which)] if isinstance(which, int) else [*which]
