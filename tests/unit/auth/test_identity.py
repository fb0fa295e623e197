"""What well-formed ids are."""

from __future__ import annotations

import pytest

from hivewire.auth.identity import identify, is_id, whole_seconds

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("value", ["a", "A.b_c~d@e+f=g/h-9", "x" * 64])
def test_ids(value: str) -> None:
    assert is_id(value)


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a:b", "a,b", "ü", "a\n", "\x00", 5, None])
def test_what_is_no_id(value: object) -> None:
    assert not is_id(value)


def test_fractions_of_seconds_are_cut() -> None:
    assert whole_seconds(5.9) == 5
    assert identify({"sub": "u", "exp": 5.9}, 0, 0).expires == 5
