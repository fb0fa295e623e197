"""A fleet as Locust sees it: one user, who is there while his clients are."""

from __future__ import annotations

import inspect
from typing import ClassVar

import gevent
from loadtest.run import plugin
from locust import User, constant


def _stay(user: User) -> None:
    """The only task: the clients act by themselves."""
    del user
    gevent.sleep(1)


class Fleet(User):
    """Scenarios derive from it; their chores run in the processes that hold the sockets.

    `size` is how many clients a fleet has, unless `--fleet-size` says otherwise.
    """

    abstract = True
    size: ClassVar[int] = 500
    tasks: ClassVar[list[object]] = [_stay]
    wait_time = constant(0)

    def on_start(self) -> None:
        """Bring the fleet up and wait until all its clients are live."""
        run = plugin.run(self.environment)
        name = type(self).__name__
        self.number = run.crews.enlist(inspect.getfile(type(self)), name, run.next_size())
        run.crews.wait_up(self.number)

    def on_stop(self) -> None:
        """Settle and close the fleet, unless the whole run is ending and does it for all."""
        run = plugin.run(self.environment)
        if not run.ending:
            run.crews.settle(self.number)
            run.crews.dismiss(self.number)
