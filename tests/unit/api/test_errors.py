"""Errors over HTTP: status, shape, and what HTTP itself wants to hear."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from starlette.exceptions import HTTPException

from hivewire.api.errors import STATUS, ApiError, answer, explain
from hivewire.core.commands import CommandError
from hivewire.core.entries import Rejection
from tests.e2e.stranger import ERROR_CODES

pytestmark = pytest.mark.unit
NOBODY = cast("Any", SimpleNamespace())


def body(response: Any) -> dict[str, Any]:
    return msgspec.json.decode(response.body)["error"]


def test_every_code_of_the_protocol_has_its_status() -> None:
    assert set(STATUS) == ERROR_CODES
    assert (STATUS["unauthorized"], STATUS["forbidden"]) == (401, 403)


def test_a_refusal_of_the_node_keeps_what_it_says() -> None:
    rejection = Rejection("rate_limited", "slower", "to", retryable=True, retry_after_ms=1200)
    response = answer(ApiError.of(rejection))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "2"
    assert body(response) == {
        "code": "rate_limited",
        "message": "slower",
        "field": "to",
        "retryable": True,
        "retry_after_ms": 1200,
    }


def test_a_command_that_is_wrong_in_itself_is_the_client_s_fault() -> None:
    response = answer(ApiError.of(CommandError(1, "too_large", "`text` is larger", "text")))
    assert response.status_code == 413
    assert body(response)["retryable"] is False


def test_who_is_unknown_is_told_how_to_show_himself() -> None:
    assert answer(ApiError("unauthorized", "who?")).headers["www-authenticate"] == "Bearer"


def test_an_error_of_ours_says_nothing_of_itself() -> None:
    response = explain(NOBODY, ZeroDivisionError("secret"))
    assert response.status_code == 500
    assert "secret" not in response.body.decode()


def test_what_the_framework_refuses_has_the_same_shape() -> None:
    response = explain(NOBODY, HTTPException(405, headers={"Allow": "GET"}))
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert body(response)["code"] == "unsupported"
