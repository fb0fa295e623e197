"""Writes are gathered, in their order; a store that fails ends it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hivewire.client.store import Change
from hivewire.client.writer import Writer

pytestmark = pytest.mark.unit


class SlowStore:
    """A store whose writes end when the test says so."""

    def __init__(self) -> None:
        self.written: list[list[str]] = []
        self.go = threading.Semaphore(0)
        self.failure: Exception | None = None

    def write(self, changes: list[Change]) -> None:
        self.go.acquire()
        if self.failure is not None:
            raise self.failure
        self.written.append([change.name for change in changes])


def test_without_a_store_everything_counts_at_once() -> None:
    done: list[str] = []
    writer = Writer(None, lambda error: None)
    writer.write([Change("records", "a", 1)], lambda: done.append("a"))
    assert done == ["a"]
    assert not writer.durable


def test_what_comes_while_one_is_under_way_is_one_transaction() -> None:
    async def story() -> None:
        store, done = SlowStore(), []
        writer = Writer(store, lambda error: None)  # type: ignore[arg-type]
        for name in ("a", "b", "c"):
            writer.write([Change("records", name, 1)], lambda name=name: done.append(name))
            await asyncio.sleep(0)
        assert done == []
        store.go.release(2)
        await writer.idle()
        assert store.written == [["a"], ["b", "c"]]
        assert done == ["a", "b", "c"]

    asyncio.run(story())


def test_a_store_that_fails_is_told_once_and_nothing_counts() -> None:
    async def story() -> None:
        store, done, failures = SlowStore(), [], []
        store.failure = OSError("disk full")
        writer = Writer(store, failures.append)  # type: ignore[arg-type]
        writer.write([Change("records", "a", 1)], lambda: done.append("a"))
        store.go.release(5)
        await writer.idle()
        writer.write([Change("records", "b", 1)], lambda: done.append("b"))
        await writer.idle()
        assert (done, failures) == ([], [store.failure])

    asyncio.run(story())
