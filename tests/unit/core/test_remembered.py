"""The bounded memory of rows."""

from __future__ import annotations

from hivewire.core.remembered import Remembered


def test_the_oldest_goes_first_and_nothing_beyond_the_bound_stays() -> None:
    rows: Remembered[str, int] = Remembered(2)
    rows.keep("a", 1)
    rows.keep("b", 2)
    rows.keep("c", 3)
    assert dict(rows) == {"b": 2, "c": 3}


def test_a_newer_row_takes_the_place_of_the_older_one() -> None:
    rows: Remembered[str, int] = Remembered(2)
    rows.keep("a", 1)
    rows.keep("b", 2)
    assert rows.keep("a", 9) == 9
    assert dict(rows) == {"a": 9, "b": 2}
