from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.soon import InTurn, Soon

from .handlers.driver import Clock, Timers

if TYPE_CHECKING:
    from collections.abc import Callable


class Bench:
    """A `Soon` on a clock that moves when told."""

    def __init__(self, delay_ms: int = 100) -> None:
        self.clock = Clock()
        self.start = self.clock.ms
        self.timers = Timers(self.clock)
        self.ran: list[int] = []
        self.soon = Soon(self.timers, delay_ms, self.work)  # type: ignore[arg-type]

    def work(self) -> None:
        self.ran.append(self.clock.ms - self.start)

    def pass_to(self, ms: int) -> None:
        """Let time pass up to `ms` after the start."""
        until = self.start + ms
        while (timer := self.timers.next(until)) is not None:
            self.clock.ms = int(timer.at)
            timer.call()
        self.clock.ms = until


def test_however_often_it_is_asked_for_it_is_done_once() -> None:
    bench = Bench()
    for at in (0, 30, 99):
        bench.pass_to(at)
        bench.soon()
    bench.pass_to(1_000)
    assert bench.ran == [100]


def test_nobody_asks_and_nothing_is_done() -> None:
    bench = Bench()
    bench.pass_to(1_000)
    assert (bench.ran, bench.timers.waiting) == ([], [])


def test_who_asks_while_it_is_done_is_served_the_next_time() -> None:
    bench = Bench()
    bench.soon._work = lambda: (bench.work(), len(bench.ran) < 3 and bench.soon())  # type: ignore[assignment,func-returns-value]
    bench.soon()
    bench.pass_to(1_000)
    assert bench.ran == [100, 200, 300]


def test_what_is_called_off_is_not_done_and_may_be_asked_for_again() -> None:
    bench = Bench()
    bench.soon()
    bench.soon.cancel()
    bench.soon.cancel()
    bench.pass_to(500)
    assert bench.ran == []
    bench.soon()
    bench.pass_to(1_000)
    assert bench.ran == [600]


class Iterations:
    """An event loop whose iterations are told, and a disk that may be behind."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.waiting_for_disk: list[Callable[[], None]] = []
        self.disk_is_behind = False
        self.ran: list[str] = []
        self.in_turn = InTurn(self.due.append, self.run)

    def run(self, work: Callable[[], None]) -> None:
        if self.disk_is_behind:
            self.waiting_for_disk.append(work)
        else:
            work()

    def ask(self, name: str, pieces: int = 1) -> None:
        """A work of several pieces, each of which asks for the next."""

        def piece() -> None:
            self.ran.append(name)
            if pieces > 1:
                self.ask(name, pieces - 1)

        self.in_turn(piece)

    def iterate(self) -> None:
        due, self.due[:] = self.due[:], []
        for callback in due:
            callback()


def test_i8_one_piece_in_an_iteration_and_works_take_turns() -> None:
    loop = Iterations()
    loop.ask("a", pieces=3)
    loop.ask("b", pieces=2)
    ran: list[list[str]] = []
    while loop.due:
        loop.ran = []
        loop.iterate()
        ran.append(loop.ran)
    assert ran == [["a"], ["b"], ["a"], ["b"], ["a"]]


def test_a_piece_that_waits_for_the_disk_holds_the_next_one() -> None:
    loop = Iterations()
    loop.disk_is_behind = True
    loop.ask("a")
    loop.ask("b")
    loop.iterate()
    loop.iterate()
    assert (loop.ran, len(loop.waiting_for_disk), loop.due) == ([], 1, [])
    loop.disk_is_behind = False
    loop.waiting_for_disk.pop()()
    loop.iterate()
    assert loop.ran == ["a", "b"]


def test_after_a_rest_it_begins_again() -> None:
    loop = Iterations()
    loop.ask("a")
    loop.iterate()
    assert loop.due == []
    loop.ask("b")
    loop.iterate()
    assert loop.ran == ["a", "b"]
