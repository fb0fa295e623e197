"""A node with an outbox and without a network: jobs are noted, and end as the test says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from hivewire.config.push import Push as Settings
from hivewire.core.entries import RegisterEntry
from hivewire.core.plan_push import plan_register
from hivewire.push.dispatcher import Dispatcher
from hivewire.push.slots import Slots
from hivewire.push.transport import Outcome
from hivewire.store import pushes
from hivewire.store.pushes import Registration
from tests.unit.handlers.driver import Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import MarkEntry
    from hivewire.push.outlook import Job
    from hivewire.store.memory import Memory
    from tests.unit.handlers.driver import Timer

HOLD = 3000
_serial = itertools.count(1)
OK = Outcome("ok")


def webhook(token: str = "t") -> Registration:
    return Registration("webhook", "mobile", 1, token=token)


def webpush(host: str = "push.example") -> Registration:
    return Registration("webpush", f"https://{host}/x", 1, p256dh="p", auth="a")


class PushNode:
    """The product's own parts but for sockets, disk, clock and requests."""

    def __init__(self, store: Memory | None = None, **settings: Any) -> None:
        self.driver = Driver(store)
        self.delivery, self.view = self.driver.delivery, self.driver.view
        self.view.pushes = True
        self.settings = Settings(**settings)
        self.jobs: list[Job] = []
        """Under way."""
        self.dispatcher = Dispatcher(
            self.settings,
            self.delivery,
            self.driver.metrics,
            self,
            act=self.act,
            devices=self.driver.engine.devices,
            slots=Slots(self.settings.concurrency),
            start=self.jobs.append,
        )
        self.delivery.pushes = self

    # -- what the dispatcher and delivery ask for -------------------------------------------------

    def now_ms(self) -> int:
        return self.driver.clock.ms

    def chance(self) -> float:
        return 1.0

    def call_later(self, seconds: float, call: Callable[[], None], /) -> Timer:
        return self.driver.timers.call_later(seconds, call)

    def held(self, users: list[str]) -> None:
        self.dispatcher.held(users)

    def read(self, mark: MarkEntry) -> None:
        self.dispatcher.read(mark)

    def act(self, work: Callable[[], None]) -> None:
        work()
        self.delivery.journal.commit()
        self.delivery.flush()

    # -- what a test says --------------------------------------------------------------------------

    def durable(self) -> None:
        """Everything that was written is synced."""
        while self.driver.committer.step():
            pass

    def register(self, user: str, device: str = "phone", how: Registration | None = None) -> None:
        entry = plan_register(how or webhook(), user, device, self.view, 10)
        assert isinstance(entry, RegisterEntry)
        self.act(lambda: self.delivery.register(entry))
        self.durable()

    def say(self, sender: str, to: str, *texts: str) -> None:
        """Messages by somebody who is connected."""
        lines = [line for line in self.driver.lines.values() if line.conn in self.sessions(sender)]
        line = lines[0] if lines else self.driver.open(sender)
        for text in texts:
            line.sends(to, text, key=f"push-{next(_serial):08}")
            self.driver.settle()

    def sessions(self, user: str) -> list[int]:
        return [conn for conn, (name, _) in self.driver.engine.sessions.items() if name == user]

    def pass_time(self, ms: int) -> None:
        self.driver.later(ms)
        self.durable()

    def ends(self, outcome: Outcome = OK) -> Job:
        """The request that began first ends."""
        job = self.jobs.pop(0)

        def settle() -> None:
            self.dispatcher.settled(job, outcome)
            self.dispatcher.released(job)

        self.act(settle)
        self.durable()
        self.pass_time(0)
        return job

    def texts(self) -> list[str]:
        """What is under way, as `device n`; a clear as `device -n`."""
        return [
            f"{job.device} {'-' if job.push.what == pushes.CLEAR else ''}{job.push.n}"
            for job in self.jobs
        ]

    def outbox(self) -> list[str]:
        """The kinds of the rows in the outbox."""
        rows = self.driver.store.columns.outbox.rows
        return sorted(pushes.split_outbox_key(key).kind for key in rows)
