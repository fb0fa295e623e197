from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.values import by_value, nests_deeper_than, problem_in

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(json_values, st.integers(0, 6))
def test_depth_is_counted_exactly(value: Any, bound: int) -> None:
    assert nests_deeper_than(bound, value) == (depth(value) > bound)


@given(st.dictionaries(st.text(), json_values))
def test_what_json_can_say_has_no_problem(data: dict[str, Any]) -> None:
    assert (problem_in(data) is None) == (depth(data) <= 16)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, float("nan"), b"", (), object()])
def test_what_it_cannot_say_is_found_at_any_depth(value: object) -> None:
    assert problem_in({"a": [{"b": value}]}) is not None


@given(json_values)
def test_by_value_keeps_what_is_equal_equal(value: Any) -> None:
    assert by_value(value) == value


def test_whole_numbers_are_integers_however_written() -> None:
    assert repr(by_value([1.0, -0.0, 1e2, 1.5, True, 1e300])) == "[1, 0, 100, 1.5, True, 1e+300]"
