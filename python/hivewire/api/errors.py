"""Errors over HTTP: `{"error":{"code","message","retryable"}}` with the fitting status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from hivewire.core.commands import CommandError
    from hivewire.core.entries import Rejection

STATUS: Final = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "internal": 500,
    "unsupported": 501,
    "unavailable": 503,
}
"""The status of each error code (protocol, sections 3 and 9)."""
CODES: Final = {405: "unsupported", **{status: code for code, status in STATUS.items()}}
"""What is said of a status that the framework chose itself."""


class ApiError(Exception):
    """A request that is refused.

    Args:
        code: One of `STATUS`.
        message: For people.
        field: What of the request was wrong.
        retryable: Whether the same request may succeed later.
        retry_after_ms: When.
        status: Another status than the usual one of the code.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        retryable: bool = False,
        retry_after_ms: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.field = field
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms
        self.status = status or STATUS[code]

    @classmethod
    def of(cls, refusal: Rejection | CommandError) -> ApiError:
        """What the node's own refusals are over HTTP."""
        return cls(
            refusal.code,
            refusal.message,
            field=refusal.field,
            retryable=getattr(refusal, "retryable", False),
            retry_after_ms=getattr(refusal, "retry_after_ms", None),
        )

    @classmethod
    def told(cls, error: Mapping[str, Any]) -> ApiError:
        """The same of an `error` object that a handler has answered."""
        return cls(
            error["code"],
            error["message"],
            field=error.get("field"),
            retryable=error["retryable"],
            retry_after_ms=error.get("retry_after_ms"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The `error` object."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        error["retryable"] = self.retryable
        if self.retry_after_ms is not None:
            error["retry_after_ms"] = self.retry_after_ms
        return error


def explain(_request: Request, error: Exception) -> Response:
    """Any error as its answer. What is nobody's refusal is `internal`, and says nothing more."""
    if isinstance(error, ApiError):
        return answer(error)
    if not isinstance(error, HTTPException):
        return answer(ApiError("internal", "internal error", retryable=True))
    code = CODES.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")
    found = answer(ApiError(code, error.detail, status=error.status_code))
    found.headers.update(error.headers or {})
    return found


def answer(error: ApiError) -> Response:
    """The response, with what HTTP itself wants to hear of it."""
    headers: dict[str, str] = {}
    if error.status == STATUS["unauthorized"]:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retryable and error.status in (STATUS["rate_limited"], STATUS["unavailable"]):
        headers["Retry-After"] = str(-(-(error.retry_after_ms or 1000) // 1000))
    return JSONResponse({"error": error.to_dict()}, status_code=error.status, headers=headers)
