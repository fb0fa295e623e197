"""Tokens as an application's own backend would mint them, and spoiled ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from tests.node import SECRET


def token(user: str, *, ttl: float = 3600, secret: str = SECRET, **claims: Any) -> str:
    """Return a JWT for `user` that is good for `ttl` seconds; `claims` are added or replaced (None
    removes).
    """
    payload: dict[str, Any] = {"sub": user, "exp": int(time.time() + ttl)} | claims
    return sign(
        {"alg": "HS256", "typ": "JWT"}, {k: v for k, v in payload.items() if v is not None}, secret
    )


def sign(header: dict[str, Any], payload: dict[str, Any], secret: str = SECRET) -> str:
    """Sign any header and payload with HMAC-SHA256, whatever `alg` the header claims."""
    text = f"{segment(header)}.{segment(payload)}"
    digest = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return f"{text}.{_base64url(digest)}"


def segment(part: dict[str, Any]) -> str:
    """One dot-separated part of a JWT."""
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
