from __future__ import annotations

from hivewire.core import limits


def test_the_protocols_figures() -> None:
    assert (limits.COMMAND_OBJECTS, limits.DATA_DEPTH, limits.PAGE_EVENTS) == (64, 16, 500)
    assert (limits.TEXT_BYTES, limits.DATA_BYTES, limits.PAGE_BYTES) == (16_384, 16_384, 262_144)
    assert (limits.COMMAND_ID, limits.POSITION) == (2**32 - 1, 2**53 - 1)


def test_the_deepest_data_fits_into_an_array_of_commands() -> None:
    assert limits.FRAME_DEPTH == 2 + limits.DATA_DEPTH
