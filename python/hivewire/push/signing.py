"""Signatures of webhooks: the receiver knows that it was this node, and when."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER: Final = "Hivewire-Signature"
TOLERANCE_S: Final = 300
"""What a receiver should accept between the signature's time and its own clock."""


def sign(body: bytes, secrets: Iterable[bytes], now_s: int) -> str:
    """The value of `HEADER`: `t=…,v1=…`, a `v1` for each secret."""
    signatures = (f"v1={_hmac(body, secret, now_s)}" for secret in secrets)
    return ",".join((f"t={now_s}", *signatures))


def is_signed(body: bytes, header: str, secret: bytes, now_s: int) -> bool:
    """Whether a webhook is genuine and fresh: what a receiver does."""
    fields = [field.partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    if len(times) != 1 or not times[0].isdecimal() or abs(now_s - int(times[0])) > TOLERANCE_S:
        return False
    expected = _hmac(body, secret, int(times[0]))
    return any(hmac.compare_digest(v, expected) for name, _, v in fields if name == "v1")


def _hmac(body: bytes, secret: bytes, now_s: int) -> str:
    return hmac.digest(secret, b"%d.%b" % (now_s, body), "sha256").hex()
