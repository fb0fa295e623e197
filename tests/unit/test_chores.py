"""What a node does in its own time; on a real node and a clock that jumps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hivewire.app import Node
from hivewire.chores import FORGET_SECONDS
from hivewire.config import load
from hivewire.core.entries import CursorEntry

from .client.virtual import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_I8_what_has_rested_is_forgotten_every_10_s(tmp_path: Path) -> None:
    settings = load(
        auth={"secret": "0123456789abcdef0123456789abcdef"},
        edge={"address": "127.0.0.1:0", "shards": 1},
        store={"path": tmp_path / "data"},
        limits={"sends_burst": 1},
    )

    async def story() -> None:
        node = Node(settings)
        chores, rates = node._chores, node.services.rates
        chores.start()
        rates.send(1, "ann")
        rates.now -= 60_000
        rates._connections[1].at -= 60_000
        rates._users["ann"].at -= 60_000
        await asyncio.sleep(FORGET_SECONDS + 1)
        assert rates._connections == {}
        assert rates._users == {}
        await node.stop()

    run(story())


def test_after_stop_nothing_is_done_any_more(tmp_path: Path) -> None:
    settings = load(
        auth={"secret": "0123456789abcdef0123456789abcdef"},
        edge={"address": "127.0.0.1:0", "shards": 1},
        store={"path": tmp_path / "data"},
    )

    async def story() -> None:
        node = Node(settings)
        chores, rates = node._chores, node.services.rates
        chores.start()
        node.view.cursors.note(CursorEntry("ann", "phone", 1, 5, 0))
        chores.cursors()
        chores.stop()
        rates.now = -1
        await asyncio.sleep(FORGET_SECONDS + 1)
        assert rates.now == -1
        assert (node.journal.is_idle, node.metrics.commits) == (True, 0)
        await node.stop()

    run(story())
