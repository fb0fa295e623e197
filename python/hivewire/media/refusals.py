"""Why an upload is not taken, in the words of the HTTP side (protocol, section 9)."""

from __future__ import annotations

from typing import Final


class Refused(Exception):
    """An upload, or a request for one, that is not done.

    Attributes:
        status: The HTTP status that fits.
        code: One of the protocol's error codes.
        message: For people.
        retry_after: Seconds after which the same may succeed; None: never as it is.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status: Final = status
        self.code: Final = code
        self.message: Final = message
        self.retry_after: Final = retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same upload may succeed later."""
        return self.retry_after is not None


def too_large(max_bytes: int) -> Refused:
    """More bytes than an upload may have."""
    return Refused(413, "too_large", f"an upload has at most {max_bytes} bytes")


def too_many_pixels(pixels: int) -> Refused:
    """A picture that would take too much memory when it is unpacked, here and at its readers."""
    return Refused(413, "too_large", f"a picture has at most {pixels} pixels")


def wrong_type(mime: str) -> Refused:
    """A type that is not on the list."""
    return Refused(415, "unsupported", f"files of the type {mime} are not taken")


def empty() -> Refused:
    """Nothing was uploaded."""
    return Refused(400, "bad_request", "the upload is empty")


def too_often(wait_ms: int) -> Refused:
    """A user who uploads too often, or too much."""
    seconds = max(1, -(-wait_ms // 1000))
    return Refused(429, "rate_limited", "too many uploads", seconds)


def busy() -> Refused:
    """As many uploads under way as there may be, or a node that goes down."""
    return Refused(503, "unavailable", "too many uploads are under way", 5)


def stopping() -> Refused:
    """The node goes down; what is not durable stays unknown."""
    return Refused(503, "unavailable", "the node goes down", 1)


def full() -> Refused:
    """No room for one more."""
    return Refused(503, "unavailable", "there is no room for uploads", 60)


def too_slow() -> Refused:
    """An upload that takes longer than `media.upload_time`."""
    return Refused(408, "bad_request", "the upload took too long")
