"""What a valid token says, and the one way in which an invalid one is refused."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct

# protocol.md section 2: what ids of users and devices are made of.
_ID: Final = re.compile(r"[A-Za-z0-9._~@+=/-]{1,64}")
# Section 2 again: integers that every JSON reader keeps whole.
_MAX_EXPIRES: Final = 1 << 53


class Refused(Exception):
    """The token or ticket does not count. One text for every reason: a probe learns nothing."""

    TEXT: Final = "the token was refused"

    def __init__(self) -> None:
        super().__init__(self.TEXT)


class Identity(Struct, frozen=True, gc=False):
    """Who a token is for.

    Attributes:
        user: `sub`, a well-formed id.
        device: the only device that may use the token, or None for any.
        expires: `exp`, in Unix seconds.
        issued: when this was said, in ms since the Unix epoch: `iat`, or when somebody else vouched
            for it; 0 where nobody knows. What is older than a revocation does not count.
    """

    user: str
    device: str | None
    expires: int
    issued: int = 0


def is_id(value: object) -> bool:
    """Whether `value` is a well-formed id of a user or device."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def identify(claims: dict[str, Any], now: int, leeway: int) -> Identity:
    """Judge what a signed token claims; `now` and `leeway` in seconds. Raises Refused.

    PyJWT has the same rules for times (RFC 7519 section 4.1); here time is an argument.
    """
    expires = claims.get("exp")
    if type(expires) is not int:
        expires = whole_seconds(expires)
    if not now - leeway < expires < _MAX_EXPIRES:
        raise Refused
    issued = 0
    if "nbf" in claims and whole_seconds(claims["nbf"]) > now + leeway:
        raise Refused
    if "iat" in claims:
        issued = claims["iat"]
        if type(issued) is not int:
            issued = whole_seconds(issued)
        if issued > now + leeway:
            raise Refused
    user, device = claims.get("sub"), claims.get("device")
    if not is_id(user) or not (device is None or is_id(device)):
        raise Refused
    return Identity(str(user), device, expires, issued * 1000)


def whole_seconds(value: object) -> int:
    """A NumericDate as an int, fractions cut. Raises Refused for anything that is no number."""
    try:
        return int(value)  # pyright: ignore[reportArgumentType] - what cannot be read is refused
    except (TypeError, ValueError, OverflowError):
        raise Refused from None
