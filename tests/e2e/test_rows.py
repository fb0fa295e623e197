"""Every row of the product's list has a test that shows it through the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.rows import ROWS, shown_by


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_shown_by_a_test(row: str) -> None:
    assert shown_by(Path(__file__).parent)[row], f"no test_{row.lower()}_…: {ROWS[row]}"
