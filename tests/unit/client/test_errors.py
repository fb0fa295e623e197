"""Errors say what can be done about them."""

from __future__ import annotations

import pytest

from hivewire.client import ClientError, Closed, CommandFailed, Disconnected

pytestmark = pytest.mark.unit


def test_a_refused_command_tells_all_it_was_told() -> None:
    answer = {"op": "error", "id": 3, "code": "forbidden", "message": "no", "field": "to"}
    error = CommandFailed(answer | {"retryable": False})
    assert (error.code, error.field, error.retryable, error.retry_after_ms) == (
        *("forbidden", "to", False),
        None,
    )
    assert str(error) == "forbidden: no"


def test_all_have_one_base() -> None:
    assert str(Closed(4500, "bad token")) == "closed with 4500: bad token"
    assert str(Closed(1006, "")) == "closed with 1006"
    assert all(issubclass(kind, ClientError) for kind in (Closed, CommandFailed, Disconnected))
