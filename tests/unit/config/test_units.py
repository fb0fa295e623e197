"""Durations, sizes and shares of the memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.config import units

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("250ms", 250),
        ("20s", 20_000),
        ("1.5s", 1_500),
        ("5m", 300_000),
        ("24h", 86_400_000),
        ("7d", 604_800_000),
        ("0", 0),
        (0, 0),
    ],
)
def test_durations_are_milliseconds(text: object, milliseconds: int) -> None:
    assert units.parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["20", 20, "20 seconds", "-1s", "s", "", None, True, "1e3s"])
def test_a_duration_without_a_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512", 512),
        (512, 512),
        ("16B", 16),
        ("64KiB", 65_536),
        ("16M", 16 << 20),
        ("2GiB", 2 << 30),
    ],
)
def test_sizes_are_bytes(text: object, count: int) -> None:
    assert units.parse_size(text) == count


@pytest.mark.parametrize("text", ["64kb", "-1", -1, "1.5M", "", None, True, "KiB"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="not a size"):
        units.parse_size(text)


def test_a_share_is_taken_of_the_memory() -> None:
    assert units.parse_memory("25%") == units.memory_bytes() // 4
    assert units.parse_memory("64MiB") == 64 << 20


@pytest.mark.parametrize("text", ["0%", "101%", "x%"])
def test_a_share_is_one_to_a_hundred_percent(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        units.parse_memory(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_formatted_is_read_back(number: int) -> None:
    assert units.parse_duration(units.format_duration(number)) == number
    assert units.parse_size(units.format_size(number)) == number
