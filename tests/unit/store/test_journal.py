from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from hivewire import chaos
from hivewire.store import StoreBroken
from hivewire.store.journal import (
    GROUP_ENTRIES,
    WAITING_ENTRIES,
    Commit,
    Group,
    Journal,
    ManualCommitter,
    ThreadCommitter,
)
from hivewire.store.memory import Memory, MemoryBatch

if TYPE_CHECKING:
    from collections.abc import Callable


class Recorder(Memory):
    """A store that tells in which order things happened."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def write(self, batch: MemoryBatch) -> None:
        super().write(batch)
        self.told.append("write")

    def sync(self) -> None:
        super().sync()
        self.told.append("sync")


class Desk:
    """A journal with a disk that waits to be told."""

    def __init__(self) -> None:
        self.store = Recorder()
        self.committer = ManualCommitter()
        self.failures: list[BaseException] = []
        self.commits: list[Commit] = []
        self.released: list[str] = []
        self.on_release: Callable[[Group[list[str]]], None] = lambda _: None
        self.on_show: Callable[[Group[list[str]]], None] = lambda _: None
        self.journal: Journal[list[str]] = Journal(
            self.store,
            self.committer,
            release=self._release,
            show=self._show,
            fatal=self.failures.append,
            payload=list,
            observe=self.commits.append,
        )

    def add(self, *names: str) -> None:
        for name in names:
            group = self.journal.rotate_if_full()
            group.put(name.encode(), b"", self.store.columns.timeline)
            group.count += 1
            group.payload.append(name)

    def _release(self, group: Group[list[str]]) -> None:
        self.store.told.append("release")
        self.released.extend(group.payload)
        self.on_release(group)

    def _show(self, group: Group[list[str]]) -> None:
        self.on_show(group)


def test_I1_write_then_sync_then_release() -> None:
    desk = Desk()
    desk.add("a")
    desk.journal.commit()
    assert (desk.store.told, desk.released) == (["write"], [])
    desk.committer.step()
    assert (desk.store.told, desk.released) == (["write", "sync", "release"], ["a"])


def test_I2_a_group_is_released_before_the_next_one_is_written_and_shown_after() -> None:
    desk = Desk()
    told = desk.store.told
    desk.on_show = lambda group: told.append(f"show {group.payload}")
    desk.add("a")
    desk.journal.commit()
    desk.add("b")
    while desk.committer.step():
        pass
    assert desk.released == ["a", "b"]
    assert told == [
        "write", "sync", "release",
        "write", "show ['a']",
        "sync", "release", "show ['b']",
    ]  # fmt: skip


def test_after_a_write_has_failed_the_group_before_is_not_shown_either() -> None:
    desk = Desk()
    shown: list[list[str]] = []

    def fail_next(_: Group[list[str]]) -> None:
        desk.store.failing = True

    desk.on_release = fail_next
    desk.on_show = lambda group: shown.append(group.payload)
    desk.add("a")
    desk.journal.commit()
    desk.add("b")
    desk.committer.step()
    assert (shown, len(desk.failures), desk.journal.dead) == ([], 1, True)


def test_I2_one_group_is_under_way_and_the_next_one_fills_meanwhile() -> None:
    desk = Desk()
    desk.add("a")
    desk.journal.commit()
    desk.add("b")
    desk.journal.commit()
    desk.add("c")
    desk.journal.commit()
    assert desk.store.told == ["write"]
    desk.committer.step()
    assert desk.store.told == ["write", "sync", "release", "write"]
    desk.committer.step()
    assert (desk.released, desk.journal.is_idle) == (["a", "b", "c"], True)
    assert not desk.committer.step()


def test_nothing_to_commit_costs_nothing() -> None:
    desk = Desk()
    desk.journal.commit()
    assert (desk.store.told, desk.committer.step(), desk.journal.commits) == ([], False, 0)


def test_I8_a_full_group_is_set_aside_and_order_is_kept() -> None:
    desk = Desk()
    names = [f"{number:05}" for number in range(2 * GROUP_ENTRIES + 1)]
    desk.add(*names)
    desk.journal.commit()
    while desk.committer.step():
        pass
    assert desk.released == names
    assert [commit.entries for commit in desk.commits] == [GROUP_ENTRIES, GROUP_ENTRIES, 1]


def test_I8_what_waits_is_bounded() -> None:
    desk = Desk()
    desk.add(*map(str, range(WAITING_ENTRIES - 1)))
    assert not desk.journal.is_full
    desk.add("last")
    assert desk.journal.is_full
    desk.journal.commit()
    desk.committer.step()
    assert not desk.journal.is_full


def test_the_barrier_is_the_newest_group_that_is_not_durable() -> None:
    desk = Desk()
    journal = desk.journal
    assert journal.barrier() is None
    desk.add("a")
    first = journal.open
    assert journal.barrier() is first
    journal.commit()
    assert journal.barrier() is first
    desk.add("b")
    assert journal.barrier() is journal.open
    desk.on_release = lambda _: None
    desk.committer.step()
    desk.committer.step()
    assert journal.barrier() is None


def test_what_is_being_released_is_durable_for_those_who_ask_then() -> None:
    desk = Desk()
    barriers: list[object] = []
    desk.on_release = lambda _: barriers.append(desk.journal.barrier())
    desk.add("a")
    desk.journal.commit()
    desk.committer.step()
    assert barriers == [None]


@pytest.mark.parametrize("moment", ["on_release", "on_show"])
def test_entries_added_while_releasing_or_showing_are_committed_next(moment: str) -> None:
    desk = Desk()

    def add_once(group: Group[list[str]]) -> None:
        if group.payload == ["a"]:
            desk.add("b")

    setattr(desk, moment, add_once)
    desk.add("a")
    desk.journal.commit()
    while desk.committer.step():
        pass
    assert (desk.released, desk.journal.is_idle) == (["a", "b"], True)


@pytest.mark.parametrize("moment", ["write", "sync"])
def test_I1_after_a_failure_nothing_is_released_ever_again(moment: str) -> None:
    desk = Desk()
    desk.add("a")
    desk.store.failing = moment == "write"
    desk.journal.commit()
    desk.add("b")
    desk.store.failing = True
    desk.committer.step()
    desk.store.failing = False
    desk.add("c")
    desk.journal.commit()
    assert not desk.committer.step()
    assert (desk.released, len(desk.failures), desk.journal.dead) == ([], 1, True)
    assert isinstance(desk.failures[0], StoreBroken)
    assert desk.journal.is_full


@pytest.mark.parametrize("moment", ["on_release", "on_show"])
def test_a_bug_in_releasing_or_showing_is_fatal_too(moment: str) -> None:
    desk = Desk()

    def fail(_: object) -> None:
        raise ZeroDivisionError

    setattr(desk, moment, fail)
    desk.add("a")
    desk.journal.commit()
    desk.committer.step()
    assert (desk.journal.dead, [type(one) for one in desk.failures]) == (True, [ZeroDivisionError])


def test_commits_are_counted() -> None:
    desk = Desk()
    desk.add("a", "b")
    desk.journal.commit()
    desk.committer.step()
    journal = desk.journal
    assert (journal.commits, journal.entries, journal.puts) == (1, 2, 2)
    (commit,) = desk.commits
    assert (commit.entries, commit.puts) == (2, 2)
    assert commit.sync_seconds >= 0
    assert commit.write_seconds >= 0


def test_marked_points_are_reached_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    monkeypatch.setattr(chaos, "reach", desk.store.told.append)
    desk.add("a")
    desk.journal.commit()
    desk.committer.step()
    assert desk.store.told == [
        "before-write", "write", "before-sync", "sync", "after-sync", "before-answer", "release",
    ]  # fmt: skip


def test_the_thread_syncs_off_the_loop_and_releases_on_it() -> None:
    store = Recorder()
    threads: list[str] = []
    sync = store.sync

    def told_sync() -> None:
        threads.append(threading.current_thread().name)
        sync()

    store.sync = told_sync  # type: ignore[method-assign]

    async def run() -> list[str]:
        loop = asyncio.get_running_loop()
        released: asyncio.Future[list[str]] = loop.create_future()
        journal: Journal[list[str]] = Journal(
            store,
            ThreadCommitter(loop.call_soon_threadsafe),
            release=lambda group: released.set_result(group.payload),
            fatal=released.set_exception,
            payload=list,
        )
        journal.open.count += 1
        journal.open.payload.append("a")
        journal.commit()
        result = await released
        journal.close()
        return result

    assert (asyncio.run(run()), threads) == (["a"], ["committer"])


def test_a_failure_in_the_thread_is_fatal_on_the_loop() -> None:
    store = Memory()

    def fail() -> None:
        raise StoreBroken("no space")

    store.sync = fail  # type: ignore[method-assign]

    async def run() -> None:
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        journal: Journal[list[str]] = Journal(
            store,
            ThreadCommitter(loop.call_soon_threadsafe),
            release=lambda _: failed.cancel(),
            fatal=failed.set_exception,
            payload=list,
        )
        journal.open.count += 1
        journal.commit()
        try:
            await failed
        finally:
            journal.close()

    with pytest.raises(StoreBroken):
        asyncio.run(run())
