"""The bounded memory of rows."""

from __future__ import annotations

from hivewire.core.remembered import Remembered


def test_I8_nothing_beyond_the_bound_stays() -> None:
    rows: Remembered[str, int] = Remembered(2)
    for number, name in enumerate("abc"):
        rows.keep(name, number)
        assert len(rows) <= 2
        assert rows[name] == number


def test_a_newer_row_takes_the_place_of_the_older_one() -> None:
    rows: Remembered[str, int] = Remembered(2)
    rows.keep("a", 1)
    rows.keep("b", 2)
    rows.keep("a", 9)
    assert dict(rows) == {"a": 9, "b": 2}


def test_a_full_one_keeps_what_came_last() -> None:
    rows: Remembered[int, int] = Remembered(8)
    for number in range(100):
        rows.keep(number, number)
        newest = range(max(number - 3, 0), number + 1)
        assert all(rows.get(one) == one for one in newest)
