"""What can go wrong for a client, by what it can do about it."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """The base of all of these."""


class CommandFailed(ClientError):
    """The server refused a command; nothing was changed and its key is still free.

    Attributes:
        code: the protocol's error code, such as `forbidden`.
        field: what was wrong, or None.
        retryable: whether the same command may succeed later.
        retry_after_ms: when, or None.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        self.code: str = answer.get("code", "internal")
        self.field: str | None = answer.get("field")
        self.retryable: bool = answer.get("retryable", False)
        self.retry_after_ms: int | None = answer.get("retry_after_ms")
        super().__init__(f"{self.code}: {answer.get('message', '')}")


class Disconnected(ClientError):
    """The line ended before the answer came; it will be tried again."""


class Discarded(ClientError):
    """The application gave the change up before it went out."""


class Closed(ClientError):
    """The line ended for good: the server said not to come back like this.

    Attributes:
        code: the close code, such as 4500 for a bad token.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(f"closed with {code}: {reason}" if reason else f"closed with {code}")
