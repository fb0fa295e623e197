"""A day of a small company, in two minutes: `python -m tests.chaos.day`, or `make day`.

Thirty people with a desk and a phone each, eight groups and a channel, lunch, phones that go
through tunnels, a node that is killed once and loses its power once. In the evening everybody reads
everything, and the checker says whether anything was lost, came twice, or came out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.company import Team
from tests.chaos.faults import PowerCut
from tests.chaos.figures import Figures
from tests.chaos.fleet import Fleet
from tests.chaos.history import Silent, dump
from tests.chaos.tunnel import Tunnel
from tests.node import Node

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from tests.chaos.device import Device
    from tests.chaos.history import History

PEOPLE = (
    *("ada", "ben", "cleo", "dan", "eva", "finn", "gita", "hal", "ida", "jon"),
    *("kim", "leo", "mia", "ned", "ola", "pia", "quin", "rosa", "sam", "tess"),
    *("ugo", "vera", "will", "xena", "yan", "zoe", "abel", "bea", "carl", "dora"),
)
DEVICES = ("desk", "phone")
HOUR_SECONDS = 8.0
"""An hour of the day, played: from half past seven to seven in the evening it takes 92 s."""
PAUSE_SECONDS = 0.7
"""A device's rest between two deeds."""
TUNNEL_HOURS = (0.03, 0.4)
SCALED = {"HIVEWIRE_HEARTBEAT__INTERVAL": "2s", "HIVEWIRE_HEARTBEAT__TIMEOUT": "700ms"}
AS_SERVED: dict[str, str | None] = {
    "HIVEWIRE_LIMITS__SENDS_PER_SECOND": None,
    "HIVEWIRE_LIMITS__SENDS_PER_SECOND_USER": None,
}
"""The node keeps the limits that it has by itself."""
HEAL_SECONDS = 90.0


def teams_of(people: list[str]) -> tuple[Team, ...]:
    """Eight groups, of everybody and of some, and the channel with the news."""
    others = people[1:]
    third = max(2, len(others) // 3)
    parts = {
        "sales": others[:third],
        "makers": others[third : 2 * third],
        "support": others[2 * third :],
        "board": others[:2],
        "lunch": others[::2],
        "running": others[1::3],
    }
    groups = [Team(f"group:{name}", members=tuple(some)) for name, some in parts.items()]
    project = Team("group:project", members=tuple(others[::4]), history="joined")
    return (Team("group:everybody"), *groups, project, Team("channel:news"))


class Day:
    """One day from the first phone to the evening."""

    def __init__(
        self, scratch: Path, seed: int, *, people: int = len(PEOPLE), hour: float = HOUR_SECONDS
    ) -> None:
        self.rng = random.Random(seed)
        self.hour = hour
        self.node = Node(scratch / "data", flags=["--dev"], env=AS_SERVED | SCALED)
        self.power = PowerCut(scratch / "data", scratch / "power")
        self.tunnel = Tunnel(self.node)
        names = list(PEOPLE[:people])
        self.fleet = Fleet(
            self.node,
            self.rng,
            users=names,
            devices=DEVICES,
            pause=PAUSE_SECONDS * hour / HOUR_SECONDS,
            silence=6.0,
            teams=teams_of(names),
        )
        self.desks = self.fleet.devices[0::2]
        self.phones = self.fleet.devices[1::2]
        self._began = 0.0
        self._errands: set[asyncio.Task[None]] = set()

    async def play(self) -> History:
        """Live through the day; what everybody saw."""
        self.node.start()
        try:
            async with self.tunnel:
                await self._live()
        finally:
            if self.node.running():
                self.node.kill9()
        self.node.assert_calm()
        return self.fleet.history

    async def _live(self) -> None:
        for phone in self.phones:
            phone.way = self.tunnel
        self._began = time.monotonic()
        for clock, happens in PROGRAMME:
            await self._until(clock)
            self.fleet.raise_failures()
            tell(f"{clock}  {await happens(self)}")
        await asyncio.gather(*self._errands)
        await self.fleet.heal(HEAL_SECONDS)
        self.node.stop()

    async def _until(self, clock: str) -> None:
        hours = hours_of(clock) - hours_of(PROGRAMME[0][0])
        await asyncio.sleep(max(0.0, self._began + hours * self.hour - time.monotonic()))

    def _spread(self, hours: float, errands: list[Coroutine[None, None, None]]) -> None:
        """Let these happen some time within the next hours."""
        for errand in errands:
            delay = self.rng.uniform(0, hours) * self.hour
            task = asyncio.create_task(_later(delay, errand))
            self._errands.add(task)

    # -- what happens ----------------------------------------------------------------------------

    async def phones_wake(self) -> str:
        self._spread(1.2, [_come(phone) for phone in self.phones])
        return f"the first of {len(self.phones)} phones wake up"

    async def desks_come(self) -> str:
        self._spread(0.5, [_come(desk) for desk in self.desks])
        return "people come to their desks; there are eight groups and a channel now"

    async def the_node_is_killed(self) -> str:
        return await self._crash("kill")

    async def the_power_fails(self) -> str:
        return await self._crash("cut")

    async def lunch(self) -> str:
        away = self.rng.sample(self.desks, len(self.desks) // 2)
        self._spread(0.2, [desk.stop() for desk in away])
        self._spread_tunnels(len(self.phones) // 3, 0.6)
        return "half of them go to lunch, some through a tunnel"

    async def back_from_lunch(self) -> str:
        self._spread(0.3, [_come(desk) for desk in self.desks])
        return "back from lunch"

    async def meetings(self) -> str:
        self._spread_tunnels(len(self.phones) // 2, 1.0)
        return "meetings in rooms where phones have no signal"

    async def going_home(self) -> str:
        self._spread(0.5, [desk.stop() for desk in self.desks])
        self._spread_tunnels(len(self.phones), 0.9)
        return "desks are left, every phone goes through a tunnel"

    async def evening(self) -> str:
        # On a slow machine the hours run together: who was still to leave would leave now.
        await asyncio.gather(*self._errands)
        self._spread(0.2, [_come(device) for device in self.fleet.devices])
        return "at home everybody looks at everything once more"

    async def _crash(self, how: str) -> str:
        fleet, node = self.fleet, self.node
        await fleet.busy()
        in_flight = fleet.in_flight()
        fleet.crashed(how)
        node.kill9()
        lost = self.power.apply(self.rng) if how == "cut" else 0
        began = time.monotonic()
        # From the kill on the disk is watched: the next crash is a power cut.
        await asyncio.to_thread(node.restart, extra_env=self.power.begin())
        words = "is killed" if how == "kill" else f"loses its power, {lost} bytes were not synced"
        seconds = time.monotonic() - began
        return f"the node {words}; {in_flight} commands in flight; ready after {seconds:.1f} s"

    def _spread_tunnels(self, count: int, hours: float) -> None:
        phones = self.rng.sample(self.phones, count)
        self._spread(hours, [self._through_a_tunnel(phone) for phone in phones])

    async def _through_a_tunnel(self, phone: Device) -> None:
        """Nothing gets through for a while; of every third line nothing ever does."""
        if not phone.live:
            return
        line = self.tunnel.line_of(phone.port)
        self.fleet.history.append(Silent(*phone.stamp()))
        if self.rng.random() < 1 / 3:
            line.forget()
        else:
            line.hold()
            await asyncio.sleep(self.rng.uniform(*TUNNEL_HOURS) * self.hour)
            line.go_on()


async def _later(delay: float, errand: Coroutine[None, None, None]) -> None:
    await asyncio.sleep(delay)
    await errand


async def _come(device: Device) -> None:
    if device.task is None:
        device.start()


def hours_of(clock: str) -> float:
    hours, _, minutes = clock.partition(":")
    return int(hours) + int(minutes) / 60


PROGRAMME: tuple[tuple[str, Callable[[Day], Awaitable[str]]], ...] = (
    ("07:30", Day.phones_wake),
    ("08:45", Day.desks_come),
    ("11:20", Day.the_node_is_killed),
    ("12:00", Day.lunch),
    ("13:00", Day.back_from_lunch),
    ("14:00", Day.meetings),
    ("15:10", Day.the_power_fails),
    ("17:00", Day.going_home),
    ("18:30", Day.evening),
)


def tell(*lines: str) -> None:
    """Print at once."""
    print(*lines, sep="\n", flush=True)  # noqa: T201 - a command


def main() -> int:
    """Read the command line, play, judge; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.day", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 32))
    parser.add_argument("--people", type=int, default=len(PEOPLE))
    parser.add_argument("--hour", type=float, default=HOUR_SECONDS, help="played, in seconds")
    options = parser.parse_args()
    tell(f"a day of {options.people} people, seed {options.seed}", "")
    scratch = Path(tempfile.mkdtemp(prefix="day-"))
    day = Day(scratch, options.seed, people=options.people, hour=options.hour)
    history = asyncio.run(day.play())
    figures = Figures()
    broken = figures.add(history)
    tell("", figures.table(), "")
    if broken:
        dump(history, scratch / "history.jsonl")
        tell(f"BROKEN, kept in {scratch}", *(f"{v.rule}: {v.words}" for v in broken[:20]))
        return 1
    shutil.rmtree(scratch)
    tell("verdict: nothing lost, nothing twice, everything in order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
