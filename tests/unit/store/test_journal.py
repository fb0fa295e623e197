from __future__ import annotations

import asyncio
import threading
import time
from queue import SimpleQueue
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

    from hivewire.store.journal import Done, Next, UnderWay


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
        self.journal: Journal[list[str]] = Journal(
            self.store,
            self.committer,
            release=self._release,
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


def test_I1_write_then_sync_then_release() -> None:
    desk = Desk()
    desk.add("a")
    desk.journal.commit()
    assert (desk.store.told, desk.released) == (["write"], [])
    desk.committer.step()
    assert (desk.store.told, desk.released) == (["write", "sync", "release"], ["a"])


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
    assert desk.store.told == ["write", "sync", "write", "release"]
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


def test_entries_added_while_releasing_are_committed_next() -> None:
    desk = Desk()

    def add_once(group: Group[list[str]]) -> None:
        if group.payload == ["a"]:
            desk.add("b")

    desk.on_release = add_once
    desk.add("a")
    desk.journal.commit()
    while desk.committer.step():
        pass
    assert desk.released == ["a", "b"]


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


def test_what_goes_wrong_between_two_commits_is_fatal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.add("a")
    desk.journal.commit()
    desk.add("b")
    desk.journal.commit()
    error = MemoryError("no batch")

    def no_batch() -> MemoryBatch:
        raise error

    monkeypatch.setattr(desk.store, "batch", no_batch)
    while desk.committer.step():
        pass
    assert (desk.released, desk.failures) == (["a"], [error])
    assert desk.journal.is_full, "nothing more is taken"


def test_a_bug_in_release_is_fatal_too() -> None:
    desk = Desk()

    def fail(_: object) -> None:
        raise ZeroDivisionError

    desk.on_release = fail
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


class Patient:
    """A committer whose thread comes when it is told to, and does what is asked of it once."""

    def __init__(self) -> None:
        self.asked: list[tuple[Next, Done]] = []

    def submit(self, following: Next, done: Done) -> None:
        self.asked.append((following, done))

    def close(self) -> None: ...


def patient_journal() -> tuple[Journal[list[str]], Patient]:
    patient = Patient()
    journal: Journal[list[str]] = Journal(
        Memory(), patient, release=lambda _: None, fatal=lambda _: None, payload=list
    )
    return journal, patient


def first_taken(
    journal: Journal[list[str]], patient: Patient
) -> tuple[Next, Done, UnderWay[list[str]]]:
    """The committer has been asked once, and has written the first group."""
    journal.rotate_if_full().count += 1
    journal.commit()
    following, done = patient.asked.pop()
    taken = following()
    assert taken is not None
    return following, done, taken


def test_what_a_turn_has_asked_for_is_found_in_the_middle_of_the_next_one() -> None:
    """Or turn after turn would take it from under the committer's nose."""
    journal, patient = patient_journal()
    first = journal.rotate_if_full()
    first.count += 1
    journal.commit()
    second = journal.rotate_if_full()
    second.count += 1
    assert second is not first
    ((following, _),) = patient.asked
    taken = following()
    assert taken is not None
    assert (taken.group, journal.waiting) == (first, 1)


def test_a_group_that_a_turn_is_filling_is_not_taken_before_that_turn_ends() -> None:
    journal, patient = patient_journal()
    following, done, taken = first_taken(journal, patient)
    filling = journal.rotate_if_full()
    filling.count += 1
    taken.step()
    assert following() is None, "its turn has not ended"
    done(taken)
    assert following() is not None, "the committer found nothing, so it was asked again"
    assert len(patient.asked) == 1


def test_between_turns_the_committer_takes_what_there_is_without_being_asked() -> None:
    journal, patient = patient_journal()
    journal.rotate_if_full().count += 1
    journal.commit()
    following, _ = patient.asked.pop()
    assert following() is not None
    for _ in range(3):
        journal.rotate_if_full().count += 1
        journal.commit()
    taken = following()
    assert taken is not None
    assert (taken.group.count, patient.asked) == (3, [])


def test_I2_what_is_read_at_a_release_is_durable_because_nothing_is_written_before_it() -> None:
    journal, patient = patient_journal()
    following, done, taken = first_taken(journal, patient)
    newest = journal.barrier()
    assert newest is taken.group
    newest.reads = True
    journal.rotate_if_full().count += 1
    journal.commit()
    taken.step()
    assert following() is None, "the answer is still to be read"
    done(taken)
    after = following()
    assert after is not None
    assert len(patient.asked) == 1, "the loop asks again when it has released it"
    after.step()
    assert following() is None


class Threads:
    """A journal on a real thread and a loop of its own, whose syncs wait until they may go on."""

    def __init__(self) -> None:
        self.store = Recorder()
        self.may_sync = threading.Semaphore(0)
        self.calls: SimpleQueue[tuple[Callable[..., None], tuple[object, ...]]] = SimpleQueue()
        self.released: list[list[str]] = []
        self.failures: list[BaseException] = []
        sync = self.store.sync

        def waits() -> None:
            assert self.may_sync.acquire(timeout=30)
            sync()

        self.store.sync = waits  # type: ignore[method-assign]
        self.journal: Journal[list[str]] = Journal(
            self.store,
            ThreadCommitter(lambda call, *arguments: self.calls.put((call, arguments))),
            release=lambda group: self.released.append(group.payload),
            fatal=self.failures.append,
            payload=list,
        )

    def add(self, name: str) -> None:
        group = self.journal.rotate_if_full()
        group.put(name.encode(), b"", self.store.columns.timeline)
        group.count += 1
        group.payload.append(name)
        self.journal.commit()

    def hear(self) -> None:
        """One call on the loop."""
        call, arguments = self.calls.get(timeout=30)
        call(*arguments)

    def until(self, *told: str) -> None:
        deadline = time.monotonic() + 30
        while self.store.told != list(told):
            assert time.monotonic() < deadline, self.store.told
            time.sleep(0.001)


def test_I2_the_next_group_is_written_when_the_last_is_durable_and_not_before() -> None:
    """Nor does it wait for the loop, which has still to release the last one."""
    threads = Threads()
    threads.add("a")
    threads.until("write")
    for name in "bcd":
        threads.add(name)
    threads.may_sync.release()
    threads.until("write", "sync", "write")
    assert threads.released == []
    threads.add("e")
    threads.hear()
    assert threads.released == [["a"]]
    threads.may_sync.release()
    threads.may_sync.release()
    threads.hear()
    threads.hear()
    assert threads.released == [["a"], ["b", "c", "d"], ["e"]]
    assert threads.journal.is_idle
    threads.journal.close()


def test_I1_nothing_is_written_after_a_failed_sync_whenever_the_loop_hears_of_it() -> None:
    threads = Threads()
    threads.add("a")
    threads.until("write")
    threads.add("b")
    threads.store.failing = True
    threads.may_sync.release()
    threads.hear()
    assert threads.journal.dead
    threads.store.failing = False
    threads.add("c")
    threads.journal.close()
    assert (threads.store.told, threads.released) == (["write"], [])
    assert [type(failure) for failure in threads.failures] == [StoreBroken]


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
