"""The parts of a node put together. What its process does is tested on running nodes."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hivewire import app
from hivewire.app import Node
from hivewire.config import load
from hivewire.core.entries import CursorEntry
from hivewire.hooks import App, Event
from hivewire.store import DataDirectoryHeld, StoreBroken

from .client.virtual import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hivewire.config import Settings


def settings(path: Path, **limits: Any) -> Settings:
    return load(
        auth={"secret": "0123456789abcdef0123456789abcdef"},
        edge={"address": "127.0.0.1:0", "shards": 1},
        api={"address": "127.0.0.1:0"},
        store={"path": path / "data"},
        drain={"spread": "0s", "time": "1s"},
        limits=limits,
    )


async def until(condition: Callable[[], object]) -> None:
    """What another thread or a signal brings about is waited for in turns of the loop."""
    while not condition():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


async def written(node: Node) -> None:
    """Until nothing is on its way to the disk."""
    await until(lambda: node.journal.is_idle)


def acked(node: Node, seq: int) -> None:
    """A device has said that it holds everything up to `seq`."""
    node.view.cursors.note(CursorEntry("ann", "phone", seq, 5, 0))
    node.services.move_cursor_soon()


class TestCursors:
    def test_acks_are_gathered_for_100_ms_and_written_once(self, tmp_path: Path) -> None:
        async def story() -> None:
            node = Node(settings(tmp_path))
            acked(node, 1)
            await asyncio.sleep(0.09)
            acked(node, 2)
            assert node.journal.is_idle
            await asyncio.sleep(0.011)
            assert not node.view.cursors.dirty
            await written(node)
            assert node.journal.entries == 1
            acked(node, 3)
            await asyncio.sleep(0.101)
            await written(node)
            assert node.journal.entries == 2
            await node.stop()

        run(story())

    def test_I1_a_node_whose_disk_failed_writes_none(self, tmp_path: Path) -> None:
        async def story() -> None:
            node = Node(settings(tmp_path))
            acked(node, 1)
            node.journal.dead = True
            await asyncio.sleep(1)
            assert node.view.cursors.dirty
            await node.stop()

        run(story())

    def test_a_drain_writes_what_was_gathered(self, tmp_path: Path) -> None:
        async def story() -> None:
            node = Node(settings(tmp_path))
            await node.start()
            acked(node, 7)
            await node.drain()
            again = Node(settings(tmp_path))
            assert again.view.cursors.load("ann", "phone") == 7
            await again.stop()

        asyncio.run(story())


class TestReadiness:
    def test_it_is_told_from_start_to_end(self, tmp_path: Path) -> None:
        async def story() -> None:
            node = Node(settings(tmp_path))
            assert node._why_not_ready() == "starting"
            edge, api = await node.start()
            assert edge.rpartition(":")[2] != "0"
            async with httpx.AsyncClient(base_url=f"http://{api}") as http:
                assert (await http.get("/health/ready")).status_code == 200
                assert "hivewire_store_background_errors 0.0" in (await http.get("/metrics")).text
                node._state = "draining"
                assert (await http.get("/health/ready")).status_code == 503
            await node.drain()

        asyncio.run(story())

    def test_a_failed_store_is_the_reason_whatever_else_is(self, tmp_path: Path) -> None:
        async def story() -> None:
            node = Node(settings(tmp_path))
            node._state = "ready"
            node.journal.dead = True
            assert node._why_not_ready() == "the store failed"
            await node.stop()

        run(story())


class TestApplications:
    def test_one_is_started_first_and_told_of_the_end_last(self, tmp_path: Path) -> None:
        application = App()
        heard: list[str] = []

        @application.on_start
        async def start() -> None:
            heard.append("start")
            await application.send("bot", "user:bot", text="x")

        @application.on_event
        async def event(event: Event) -> None:
            heard.append(event.type)

        @application.on_stop
        async def stop() -> None:
            heard.append("stop")

        async def story() -> None:
            node = Node(settings(tmp_path), application)
            await node.start()
            page = node.metrics.render().decode()
            assert "hivewire_hooks_waiting" in page
            await node.drain()
            assert application.sender is None

        asyncio.run(story())
        assert heard == ["start", "message", "stop"]


class TestTheEnd:
    def test_a_directory_is_free_again_when_its_node_has_stopped(self, tmp_path: Path) -> None:
        async def story() -> None:
            node = Node(settings(tmp_path))
            with pytest.raises(DataDirectoryHeld):
                Node(settings(tmp_path))
            await node.stop()
            await Node(settings(tmp_path)).stop()

        run(story())

    def test_nothing_is_released_to_an_engine_that_has_stopped(self, tmp_path: Path) -> None:
        async def story() -> None:
            node = Node(settings(tmp_path))
            await node.start()
            told: list[str] = []
            node.journal.open.payload.late.append(lambda: told.append("late"))
            node.journal.open.count += 1
            node.journal.commit()
            await node.stop()
            for _ in range(3):
                await asyncio.sleep(0)
            assert told == []
            assert not node.gateway._watching

        asyncio.run(story())

    def test_I1_a_failed_write_ends_the_process_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended: list[int] = []
        monkeypatch.setattr(os, "_exit", ended.append)

        async def story() -> None:
            node = Node(settings(tmp_path))
            told: list[str] = []
            node.journal.open.payload.late.append(lambda: told.append("late"))

            def fail() -> None:
                raise StoreBroken("no space")

            node.store.sync = fail  # type: ignore[method-assign]
            node.journal.open.count += 1
            node.journal.commit()
            await until(lambda: ended)
            assert (ended, told) == ([app.FATAL_STATUS], [])
            assert node._why_not_ready() == "the store failed"
            await node.stop()

        asyncio.run(story())


def test_a_commit_is_counted(tmp_path: Path) -> None:
    async def story() -> None:
        node = Node(settings(tmp_path))
        acked(node, 1)
        node.delivery.cursors()
        await written(node)
        metrics = node.metrics
        assert (metrics.commits, metrics.puts, metrics.commit_messages.sum) == (1, 1, 1)
        await node.stop()

    run(story())
