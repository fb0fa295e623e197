"""Links that open an upload for whoever has them, until they expire.

A page cannot send a token with an `<img>`; a signed link needs none. It opens one file, to be read.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

PATH: Final = "/api/v1/media"
ROUND_MS: Final = 3_600_000
"""Links made within an hour are the same, so that a browser can keep what it has fetched."""


class Links:
    """Signs and checks. Times are milliseconds since the Unix epoch.

    Args:
        secret: 32 bytes that only nodes know.
        link_ms: How long a link opens its file, at least; at most one `ROUND_MS` more.
    """

    def __init__(self, secret: bytes, link_ms: int) -> None:
        self._secret = secret
        self._link_ms = link_ms
        self._round_ms = min(ROUND_MS, link_ms)

    def path(self, media: str, now_ms: int, *, thumbnail: bool = False) -> str:
        """The path and query of a link."""
        expires = ((now_ms + self._link_ms) // self._round_ms + 1) * self._round_ms // 1000
        place = f"{PATH}/{media}/thumbnail" if thumbnail else f"{PATH}/{media}"
        return f"{place}?expires={expires}&signature={self._sign(place, expires)}"

    def opens(self, path: str, expires: str, signature: str, now_ms: int) -> bool:
        """Whether a link with this path and query is ours and still good."""
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
            return False
        good = self._sign(path, int(expires))
        if not hmac.compare_digest(good.encode(), signature.encode()):
            return False
        return int(expires) * 1000 > now_ms

    def _sign(self, path: str, expires: int) -> str:
        digest = hmac.digest(self._secret, f"{path}\0{expires}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
