"""The node of the handlers' tests with an application on it. Runs inside of a loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest import mock

from hivewire import gateway
from hivewire.hooks.bridge import Bridge
from hivewire.hooks.sender import NodeSender
from tests.unit.handlers.driver import Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.hooks import App
    from tests.unit.handlers.driver import Told

STEPS = 12
"""Rounds of the loop in which everything that waits for nothing has happened."""


class HookedDriver(Driver):
    """A `Driver` whose hooks run on the loop of the test."""

    def __init__(self, app: App, **sections: dict[str, Any]) -> None:
        super().__init__(**sections)
        self.app = app
        self.bridge = Bridge(
            app,
            self.settings,
            loop=asyncio.get_running_loop(),
            metrics=self.metrics,
            act=self.act,
            devices=self.engine.devices,
            sender=NodeSender(self.delivery, self.act, lambda: self.services.now_ms),
        )
        self.services.hooks = self.bridge
        self.delivery.released = self.bridge.released if self.bridge.observes else None

    def act(self, work: Callable[[], None]) -> None:
        with mock.patch.object(gateway, "time", self.clock):
            self.gateway.act(work)

    async def think(self) -> list[Told]:
        """Let hooks run that wait for nothing; the disk does nothing meanwhile."""
        for _ in range(STEPS):
            await asyncio.sleep(0)
        return self.told()

    async def rest(self) -> list[Told]:
        """Take, think and sync until nothing is left to do at this moment."""
        told: list[Told] = []
        quiet = 0
        while quiet < 2:
            new = self.settle() + await self.think()
            told += new
            quiet = 0 if new or self.engine.items else quiet + 1
        return told
