"""One simulated run: a machine, devices, faults, and then the peace in which all must be found.

    run = simulate(seed)
    run.history          what the devices saw, for the checker
    run.trace            every message in both directions, every op and fault, hashed

The seed decides everything: who sends what, how long a sync takes, which line is cut, at which
instruction the process dies.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING
from unittest import mock

from hivewire.core import gathered
from hivewire.core.commands import JSON, MSGPACK
from hivewire.store.verify import verify
from tests.chaos.history import Crash, Healed, History
from tests.chaos.verdict import verdict
from tests.sim.behaviour import act
from tests.sim.climate import CLIMATES, Climate, settings
from tests.sim.device import Device
from tests.sim.loop import MS, S, Schedule, virtual_time
from tests.sim.node import Machine, marked_points
from tests.sim.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.store.verify import Report

MARKED_POINTS = (
    *("before-write", "before-sync", "after-sync", "before-answer", "mid-fanout", "cursor"),
)
ENCODINGS = (JSON, MSGPACK)
"""What the devices of a user speak."""
HEAL_LIMIT = 40 * S
QUIET_TIME = 3 * S // 2


@dataclass(frozen=True)
class Size:
    """How much happens in a run."""

    users: int = 3
    pool: tuple[str, ...] = ()
    """Groups and channels that somebody may make."""
    devices: int = 2
    answers: int = 25
    """Answered sends until peace."""
    crashes: int = 2
    most_time: int = 60 * S
    pause: int = 60 * MS
    """Between two acts of a device, on average."""


DIRECT = Size()
GROUPS = Size(answers=40, pool=("group:g0", "group:g1", "channel:c0"))
BUSY = replace(GROUPS, answers=100, crashes=3, pause=4 * MS)
"""So much at a time that one commit follows the other."""


@dataclass
class Run:
    """What is left of a simulation."""

    seed: int
    history: History
    trace: str
    steps: int
    counts: Counter[str]
    """How often what happened: faults, closes, answers."""
    seconds: float
    """Virtual ones."""
    on_disk: Report
    """What `verify` says of what is left on the disk."""
    ghosts: list[str]
    surprises: list[str]


@dataclass
class World:
    """Everything of one run."""

    seed: int
    size: Size
    climate: Climate
    schedule: Schedule
    machine: Machine
    history: History = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    pool: tuple[str, ...] = ()
    known: dict[str, None] = field(default_factory=dict[str, None])
    """Those that somebody has heard of."""
    counts: Counter[str] = field(default_factory=Counter[str])
    surprises: list[str] = field(default_factory=list[str])
    answered: int = 0
    finals: int = 0
    sending: bool = True
    lines: int = 0

    def __post_init__(self) -> None:
        self._trace = blake2b(digest_size=16)
        self._crash_at: list[int] = []
        self.machine.record = self.trace_op
        self.machine.on_crash = self._crashed
        self.machine.on_end = self._drained
        self.pool = self.size.pool
        self.users = [f"user{number}" for number in range(self.size.users)]
        self.devices = [
            Device(self, user, f"device{number}", ENCODINGS[number % 2])
            for user in self.users
            for number in range(self.size.devices)
        ]

    def next_line(self) -> int:
        self.lines += 1
        return self.lines

    # -- the trace -------------------------------------------------------------------------------

    def trace(self, device: Device, way: str, frame: bytes) -> None:
        head = b"%d %s %s/%s " % (
            self.schedule.now,
            way.encode(),
            device.user.encode(),
            device.name.encode(),
        )
        self._trace.update(head + frame)

    def trace_op(self, kind: str, what: object) -> None:
        if kind in ("close", "point"):
            self.counts[f"{kind} {what}"] += 1
        self._trace.update(f"{self.schedule.now} {kind} {what}".encode())

    def digest(self) -> str:
        return self._trace.hexdigest()

    def surprise(self, device: Device, message: object) -> None:
        """A good client was told what no good client should be told."""
        self.surprises.append(f"{device.user}/{device.name} got {message}")

    # -- the course of a run ---------------------------------------------------------------------

    def run(self) -> None:
        """Work under faults, then peace, then everything is read everywhere."""
        self.machine.start()
        for device in self.devices:
            self.schedule.after(self.schedule.between(0, 200 * MS), device.dial)
            self._act_later(device)
        self._plan_crashes()
        self.schedule.run_until(lambda: self.answered >= self.size.answers, self.size.most_time)
        self._heal()

    def _act_later(self, device: Device) -> None:
        def act_now() -> None:
            if self.sending:
                act(device)
                self._act_later(device)

        self.schedule.after(self.schedule.between(0, 2 * self.size.pause), act_now)

    def _plan_crashes(self) -> None:
        """Crashes amid the work: after that many answers each."""
        rng, size = self.schedule.rng, self.size
        self._crash_at = sorted(rng.randrange(size.answers) for _ in range(size.crashes))

    def note_answer(self, op: str) -> None:
        self.answered += 1
        self.counts["answered"] += 1
        self.counts[f"done {op}"] += 1
        if self.sending and self._crash_at and self.answered > self._crash_at[0]:
            self._crash_at.pop(0)
            self.schedule.after(self.schedule.between(1, 20 * MS), self._crash_soon)

    def _crash_soon(self) -> None:
        """At this instant, or at a marked point of the product."""
        if not self.sending:
            return
        rng = self.schedule.rng
        how = rng.choice(("kill", "kill", "cut", "cut", "drain"))
        if how == "drain":
            self.trace_op("drain", "")
            self.machine.terminate()
        elif rng.random() < 0.5:
            self.machine.crash(how)
        else:
            self.machine.armed = (rng.choice(MARKED_POINTS), rng.randrange(3), how)

    def _crashed(self, how: str) -> None:
        in_flight = sum(len(device.open) for device in self.devices)
        self.history.append(Crash(self.schedule.now, 0, "", "", how, in_flight))
        self.trace_op("crash", how)
        self.counts[f"crash {how}"] += 1
        self._start_later()

    def _drained(self) -> None:
        self.counts["drained"] += 1
        self._start_later()

    def _start_later(self) -> None:
        self.schedule.after(self.schedule.between(10 * MS, S), self._start_again)

    def _start_again(self) -> None:
        if not self.machine.running:
            self.trace_op("start", "")
            self.machine.start()

    def _heal(self) -> None:
        """No fault from here on. What is not well in time, the checker tells."""
        self.sending = False
        self.machine.armed = None
        self.history.append(Healed(self.schedule.now, 0, "", ""))
        schedule = self.schedule
        schedule.run_until(lambda: all(device.quiet for device in self.devices), HEAL_LIMIT)
        schedule.run_for(QUIET_TIME)
        schedule.run_until(lambda: all(device.quiet for device in self.devices), HEAL_LIMIT)
        for device in self.devices:
            device.settle()
        for device in self.devices:
            device.read_everything()
        schedule.run_until(lambda: self.finals == len(self.devices), HEAL_LIMIT)
        if self.pool:
            self._read_conversations()

    def _read_conversations(self) -> None:
        """One device of each user reads all that there is in its conversations."""
        readers = [Reader(device) for device in self.devices[:: self.size.devices]]
        for reader in readers:
            reader.begin()
        self.schedule.run_until(lambda: all(reader.done for reader in readers), HEAL_LIMIT)

    def ghosts(self) -> list[str]:
        """Sessions that the node still has after two intervals, though no client holds them."""
        interval = 2 * (self.climate.interval + self.climate.timeout) * MS
        self.schedule.run_for(interval + 5 * S)
        engine = self.machine.engine
        assert engine is not None
        held = {device.wire for device in self.devices}
        return [
            f"{session.user}/{session.device}"
            for session in engine.by_conn.values()
            if session.line.wire not in held
        ]


def simulate(
    seed: int,
    *,
    size: Size | None = None,
    linger: bool = False,
    plant: Callable[[Machine], None] | None = None,
) -> Run:
    """Run the simulation of `seed` to its end; `plant` plants a bug.

    Without a size, odd seeds are of direct chats, even ones of groups and channels too.
    """
    schedule = Schedule(seed)
    size = size or (GROUPS if seed % 2 == 0 else DIRECT)
    climate = schedule.rng.choice(CLIMATES)
    machine = Machine(schedule, settings(climate))
    if plant is not None:
        plant(machine)
    world = World(seed, size, climate, schedule, machine)
    # Simulated groups are small, and shall be gathered all the same.
    gathers = mock.patch.object(gathered, "MANY", min(gathered.MANY, 3))
    with virtual_time(schedule), marked_points(machine), gathers:
        world.run()
        ghosts = world.ghosts() if linger else []
        machine.unplug()
    return Run(
        seed,
        world.history,
        world.digest(),
        schedule.steps,
        world.counts,
        schedule.now / S,
        verify(machine.store),
        ghosts,
        world.surprises,
    )


def judge(run: Run) -> list[str]:
    """What was broken, each under the name of its rule; empty if nothing was."""
    broken = [f"{violation.rule}: {violation.words}" for violation in verdict(run.history)]
    broken += [f"no_surprises: {words}" for words in run.surprises]
    broken += ["no_server_error: a line was closed with 4006"] * run.counts["close 4006"]
    broken += [f"on_disk: {problem}" for problem in run.on_disk.problems]
    return broken + [f"no_ghosts: {ghost} has gone" for ghost in run.ghosts]


def rules(broken: list[str]) -> set[str]:
    """The names of the rules that were broken."""
    return {words.partition(":")[0] for words in broken}
