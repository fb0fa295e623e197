from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire import chaos
from hivewire.core.entries import CursorEntry
from hivewire.delivery.rows import ROWS_AN_ENTRY
from hivewire.store.journal import GROUP_ENTRIES
from tests.unit.handlers.driver import Driver

if TYPE_CHECKING:
    import pytest


class TestCursors:
    def moved(self, driver: Driver, devices: int, seq: int = 1) -> None:
        for number in range(devices):
            driver.view.cursors.note(CursorEntry("ann", f"d{number}", seq, 5, 0))

    def test_a_device_that_acks_often_writes_one_row(self) -> None:
        driver = Driver()
        for seq in (1, 2, 3):
            self.moved(driver, 1, seq)
        driver.delivery.cursors()
        driver.settle()
        assert (driver.journal.entries, driver.journal.puts) == (1, 1)
        driver.store.crash()
        assert Driver(driver.store).view.cursors.load("ann", "d0") == 3

    def test_I8_many_are_written_in_bounded_groups(self) -> None:
        driver = Driver()
        sizes: list[int] = []
        driver.journal._observe = lambda commit: sizes.append(commit.entries)
        self.moved(driver, 2 * GROUP_ENTRIES * ROWS_AN_ENTRY + 50)
        driver.delivery.cursors()
        assert not driver.view.cursors.dirty
        driver.settle()
        assert sizes == [GROUP_ENTRIES, GROUP_ENTRIES, 13]

    def test_nobody_is_told_of_them(self) -> None:
        driver = Driver()
        self.moved(driver, 1)
        driver.delivery.cursors()
        assert driver.settle() == []
        assert driver.journal.is_idle

    def test_what_is_being_written_is_known_meanwhile_and_let_go_afterwards(self) -> None:
        driver = Driver()
        self.moved(driver, 1)
        driver.delivery.cursors()
        assert driver.view.cursors.load("ann", "d0") == 1
        driver.sync()
        assert driver.view.cursors._writing == {}

    def test_the_write_of_cursors_is_a_marked_point(self, monkeypatch: pytest.MonkeyPatch) -> None:
        marks: list[str] = []
        driver = Driver()
        monkeypatch.setattr(chaos, "reach", marks.append)
        self.moved(driver, 1)
        driver.delivery.cursors()
        assert marks[0] == "cursor"
