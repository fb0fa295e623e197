"""One run: the node, the crews, and the phases that were gone through, each measured."""

from __future__ import annotations

import logging
import math
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import gevent
from loadtest.fleet.wire import Report, Target
from loadtest.run import charts, options
from loadtest.run.crews import Crews
from loadtest.run.node import Node, NodeFailed, Probe, kernel_bytes, probe

if TYPE_CHECKING:
    from locust.env import Environment

LOG: Final = logging.getLogger("hivewire.load")
BYE_SECONDS: Final = 20.0
STOP_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.25


@dataclass
class Phase:
    """One stretch of a run: what the node and the crews needed when it began and when it ended."""

    name: str
    began: Probe
    ended: Probe = field(default_factory=Probe)
    crew_cpu: dict[int, float] = field(default_factory=dict)
    crew_share: float = 0.0
    standing: int = 0
    wanted: int = 0
    silent: int = 0
    kernel: int = 0
    files: int = 0


class Run:
    """One run of Locust: the node, the crews, the phases that were gone through."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.options = environment.parsed_options
        self.ending = False
        # A fleet that goes settles first: Locust must wait for that.
        environment.stop_timeout = environment.stop_timeout or self.options.settle + STOP_SECONDS
        self.phases: list[Phase] = []
        self.comebacks: list[float] = []
        self.drained: tuple[int, float] | None = None
        self.crash: str | None = None
        self.node = None if environment.host else Node(self._planned())
        self.api = self.node.api if self.node else self.options.api or None
        self.at_rest = probe(self.api)
        self.kernel_at_rest = kernel_bytes()
        self.crews = Crews(self._target(), self._heard, self._processes())
        self.begin("ramp")

    # -- what it is made of ------------------------------------------------------------------------

    def fleet_size(self) -> int:
        """Clients of a full fleet."""
        own = [user.size for user in self.environment.user_classes if hasattr(user, "size")]
        size = self.options.fleet_size or max(own, default=1)
        return min(size, self.options.connections) if self.options.connections else size

    def next_size(self) -> int:
        """Clients of the next fleet: the last one has what is left."""
        left = self.options.connections - self.crews.wanted()
        return min(self.fleet_size(), left) if left > 0 else self.fleet_size()

    def fleets(self) -> int:
        """Fleets that a shape brings up when it brings up all."""
        if self.options.connections:
            return math.ceil(self.options.connections / self.fleet_size())
        return self.options.num_users or 1

    def _planned(self) -> int:
        return max(self.options.connections, self.fleets() * self.fleet_size())

    def _processes(self) -> int:
        if self.options.crews:
            return self.options.crews
        # One leaves a core to the node; where sockets ask for more, it is rounded up to even loads.
        return max(1, math.ceil(self._planned() / 13_000), min(4, (os.cpu_count() or 2) - 1))

    def _target(self) -> Target:
        node = self.node
        return Target(
            url=node.url if node else self.environment.host,
            algorithm="HS256" if node else self.options.token_algorithm,
            key=node.secret if node else options.signing_key(self.options),
            pace=self.options.pace,
            # Users of their own in every run: numbers begin at 1 on any node.
            run=f"l{int(time.time()):x}{os.getpid() % 4096:03x}",
        )

    def _heard(self, report: Report) -> None:
        charts.add(self.environment.stats, report)

    # -- what happens to it ------------------------------------------------------------------------

    def begin(self, name: str) -> None:
        """A new phase; the one before is measured and closed."""
        if self.phases:
            self._close(self.phases[-1])
        cpu = {crew.process.pid: crew.cpu for crew in self.crews.all}
        self.phases.append(Phase(name, probe(self.api), crew_cpu=cpu))
        self.crews.phase = name
        LOG.info("phase %s: %d of %d connected", name, self.crews.standing(), self.crews.wanted())

    def _close(self, phase: Phase) -> None:
        phase.ended = probe(self.api)
        seconds = max(phase.ended.at - phase.began.at, 1e-9)
        phase.crew_share = (
            max(
                (c.cpu - phase.crew_cpu.get(c.process.pid, 0.0) for c in self.crews.all),
                default=0.0,
            )
            / seconds
        )
        phase.standing, phase.wanted = self.crews.standing(), self.crews.wanted()
        phase.kernel = kernel_bytes()
        phase.files = self.node.files() if self.node and self.node.status() is None else 0
        phase.silent = sum(crew.silent for crew in self.crews.all)

    def finish(self) -> bool:
        """Settle and drain; once, however the run ends: whether it was now."""
        if self.ending:
            return False
        self.ending = True
        try:
            self.begin("settle")
            self.crews.settle_all(self.options.settle)
            self.begin("drain")
            self._drain()
        except Exception as error:  # a run that breaks is a run that failed, with its reason
            LOG.exception("the run broke")
            self.crash = f"{type(error).__name__}: {error}"
        self._close(self.phases[-1])
        return True

    def _drain(self) -> None:
        if self.node is None:
            return
        if (status := self.node.status()) is not None:
            raise NodeFailed(f"the node has ended by itself, exit status {status}")
        self.crews.await_end_of_node()
        gevent.sleep(LOOK_SECONDS)
        self.drained = self.node.drain()
        deadline = time.monotonic() + BYE_SECONDS
        while self.crews.standing() and time.monotonic() < deadline:
            gevent.sleep(LOOK_SECONDS)
        # One more report: what came with the last lines.
        gevent.sleep(1.5)

    def close(self) -> None:
        """End all processes and remove the node's data."""
        self.crews.end()
        if self.node is not None:
            self.node.clean()
