"""A whole node in a simulation: the product's own `app.Node`, but for sockets, disk and clock.

machine = Machine(schedule, settings)
machine.start()
machine.crash("cut")          the power fails: what was not synced is gone
machine.start()               the same disk, a new process
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

from hivewire import app, chaos, foundation
from hivewire.core.commands import JSON
from tests.sim.disk import Disk, Thread
from tests.sim.engine import SimEngine
from tests.sim.loop import MS, Killed, NodeLoop, Schedule

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hivewire.config import Settings
    from tests.sim.network import Wire


class NoMedia:
    """Nor are uploads: their files and threads are real ones."""

    def __init__(self, *_: object) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def close(self) -> None: ...

    def figures(self) -> dict[str, int]:
        return {}


class NoProbes:
    """Nor are threads that look at a real clock."""

    def __init__(self, *_: object) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def join(self) -> None: ...


class NoApi:
    """The HTTP listener is no part of the simulation."""

    def __init__(self, *_: object) -> None: ...

    async def start(self) -> str:
        return "127.0.0.1:8001"

    def drain(self) -> None: ...

    async def stop(self) -> None: ...


class SimNode(app.Node):
    """One process. A failure of its store ends it as it ends the real one."""

    died: Callable[[BaseException], None]

    def _fatal(self, error: BaseException) -> None:
        self.died(error)


class Machine:
    """What outlives a process: the disk, the network's way to it, and who starts it again."""

    def __init__(self, schedule: Schedule, settings: Settings) -> None:
        self.schedule = schedule
        self.settings = settings
        self.store = Disk()
        self.node: SimNode | None = None
        self.loop: NodeLoop | None = None
        self.engine: SimEngine | None = None
        self.on_crash: Callable[[str], None] = lambda _how: None
        self.on_end: Callable[[], None] = lambda: None
        self.draining = False
        self.record: Callable[[str, object], None] = lambda _kind, _what: None
        self.spoil: Callable[[tuple[Any, ...]], list[tuple[Any, ...]]] | None = None
        """Planted between the product and the engine; see `tests.chaos.mutants`."""
        self.armed: tuple[str, int, str] | None = None
        """Die at that marked point, when it has been passed so often, of that."""

    def start(self) -> None:
        """Start a process on what the disk holds."""
        self.loop = loop = NodeLoop(self.schedule)
        loop.on_death = lambda error: self._die(loop, error)
        thread = Thread(self.store, self.schedule, loop)
        with (
            mock.patch.object(foundation, "Rocks", self),
            mock.patch.object(foundation, "Engine", self._make_engine),
            mock.patch.object(app, "ThreadCommitter", return_value=thread),
            mock.patch.object(app, "Api", NoApi),
            mock.patch.object(app, "Media", NoMedia),
            mock.patch.object(app, "Probes", NoProbes),
            mock.patch.object(app, "random", self.schedule.rng),
        ):
            self.node = loop.run(SimNode, self.settings)
        assert self.node is not None
        self.node.died = loop.on_death
        task: asyncio.Task[Any] = loop.run(loop.create_task, self.node.start())
        self.schedule.run_until(task.done, MS)
        task.result()

    def crash(self, how: str) -> None:
        """End the process at this instant: killed ("kill") or by loss of power ("cut")."""
        if self.loop is None or not self.loop.alive:
            return
        assert self.engine is not None
        self.on_crash(how)
        self.draining = False
        if self.schedule.chance(0.5):
            # The shards are threads of their own: what they were told may have got out.
            for shard in self.engine.shards:
                shard.turn()
        self.loop.kill()
        self.engine.die()
        if how == "kill" or self.schedule.chance(0.5):
            # The kernel outlives the process; a disk may have what no sync has asked for.
            self.store.sync()
        self.store.crash()

    def unplug(self) -> None:
        """Nothing happens here any more."""
        if self.loop is not None:
            self.loop.kill()

    def terminate(self) -> None:
        """SIGTERM: drain, then end. It takes its time; whatever else happens goes on meanwhile."""
        node, loop = self.node, self.loop
        if node is not None and loop is not None and loop.alive and not self.draining:
            self.draining = True
            task: asyncio.Task[Any] = loop.run(loop.create_task, node.drain())
            task.add_done_callback(lambda done: self._ended(done, loop))

    def _ended(self, done: asyncio.Task[Any], loop: NodeLoop) -> None:
        done.result()
        loop.kill()
        self.draining = False
        self.on_end()

    @property
    def running(self) -> bool:
        return self.loop is not None and self.loop.alive

    def dial(self, wire: Wire, encoding: int = JSON) -> bool:
        """A client's connection arrives. Returns whether somebody answers."""
        return self.engine is not None and self.engine.accept(wire, encoding)

    def open(self, *_: object, **__: object) -> Disk:
        """In place of `Rocks.open`: the disk is this machine's."""
        return self.store

    def _make_engine(self, settings: Any) -> SimEngine:
        assert self.loop is not None
        self.engine = SimEngine(self.schedule, self.loop, settings)
        self.engine.record = self.record
        self.engine.spoil = self.spoil
        return self.engine

    def _die(self, loop: NodeLoop, error: BaseException) -> None:
        if loop is not self.loop:
            return
        if not isinstance(error, Killed):
            raise error
        self.crash(str(error))

    def reach(self, point: str) -> None:
        """A marked point of the product is passed: die there if that was the plan."""
        if self.armed is None or self.armed[0] != point or not self.running:
            return
        _, times, how = self.armed
        self.armed = (point, times - 1, how)
        if times <= 0:
            self.armed = None
            self.record("point", point)
            raise Killed(how)


def marked_points(machine: Machine) -> mock._patch[Any]:
    """While this lasts, the product tells the machine of each marked point that it passes."""
    return mock.patch.object(chaos, "reach", machine.reach)
