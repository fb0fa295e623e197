"""The end of a node, on a node without sockets."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
import structlog

from hivewire.app import Node
from hivewire.config import load
from hivewire.core.entries import CursorEntry
from hivewire.draining import PARTING, finish_taken, let_go, see_off, take_to_the_disk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.unit


def story(path: Path, tell: Callable[[Node], Awaitable[None]]) -> None:
    """Run it with a node on `path`, and let go of that."""

    async def run() -> None:
        node = Node(
            load(
                auth={"secret": "0123456789abcdef0123456789abcdef"},
                edge={"address": "127.0.0.1:0", "shards": 1},
                api={"address": "127.0.0.1:0"},
                store={"path": path / "data"},
            )
        )
        try:
            await tell(node)
        finally:
            await node.stop()

    asyncio.run(run())


def acked(node: Node) -> None:
    node.view.cursors.note(CursorEntry("ann", "phone", 1, 5, 0))


def test_i12_what_was_gathered_is_durable_when_all_is_finished(tmp_path: Path) -> None:
    async def tell(node: Node) -> None:
        acked(node)
        await finish_taken(node.gateway, node.delivery, None, time.monotonic() + 30)
        assert node.journal.is_idle
        assert not node.view.cursors.dirty
        assert node.journal.commits == 1

    story(tmp_path, tell)


def test_who_has_no_time_left_waits_for_nothing(tmp_path: Path) -> None:
    async def tell(node: Node) -> None:
        acked(node)
        await finish_taken(node.gateway, node.delivery, None, time.monotonic())
        assert node.view.cursors.dirty

    story(tmp_path, tell)


def test_what_is_being_written_comes_to_its_end(tmp_path: Path) -> None:
    async def tell(node: Node) -> None:
        acked(node)
        node.delivery.cursors()
        assert not node.journal.is_idle
        await take_to_the_disk(node.delivery)
        assert node.journal.is_idle

    story(tmp_path, tell)


def writes(node: Node, steps: list[int]) -> Iterator[None]:
    """Three steps, each with as much as may wait for the disk, and one more row."""
    for step in range(3):
        steps.append(node.journal.waiting)
        entries = [CursorEntry("ann", f"d{step}-{at}", 1, 5, 0) for at in range(PARTING + 1)]
        for entry in entries:
            node.view.cursors.note(entry)
        node.delivery.cursors()
        yield


def test_of_everybody_it_is_written_that_he_is_gone_though_no_line_is_left(tmp_path: Path) -> None:
    steps: list[int] = []

    async def tell(node: Node) -> None:
        parting = writes(node, steps)
        await see_off(node.engine, node.gateway, node.delivery, parting, time.monotonic() + 30)

    story(tmp_path, tell)
    assert len(steps) == 3
    assert max(steps) <= PARTING, "a step waits until the disk has got on"


def test_the_end_waits_for_nobody_when_the_time_is_over(tmp_path: Path) -> None:
    steps: list[int] = []

    async def tell(node: Node) -> None:
        parting = writes(node, steps)
        await see_off(node.engine, node.gateway, node.delivery, parting, time.monotonic())

    story(tmp_path, tell)
    assert steps == []


def test_what_keeps_no_promise_may_fail_to_end() -> None:
    async def fails() -> None:
        raise OSError("no")

    with structlog.testing.capture_logs() as logs:
        asyncio.run(let_go("pushes", fails()))
    (line,) = logs
    assert (line["log_level"], line["part"]) == ("error", "pushes")
