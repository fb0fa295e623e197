"""The fast path of HS256: a tenth of PyJWT's time for the tokens that nearly everybody sends.

It knows the few header segments that libraries write for a plain HS256 token and takes those byte
for byte; it compares the signature as text and reads the claims once. It never refuses: whatever is
unusual goes to PyJWT, so a mistake here can cost time but let nobody in whom PyJWT would not.
Held together by a differential test; measured in docs/decisions/0010-hs256-fast-path.md.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

import msgspec

HEADERS: Final = (
    '{"alg":"HS256","typ":"JWT"}',
    '{"typ":"JWT","alg":"HS256"}',
    '{"alg":"HS256"}',
)
# Base64url to base64. What only the other alphabet has becomes `!`, which strict decoding refuses.
ALPHABET: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
URL_ALPHABET: Final = bytes.maketrans(b"+/", b"-_")
# By length mod 4: the padding, and the last characters whose unused bits are zero. PyJWT refuses
# the others too: one token has one spelling.
PADDING: Final = (b"", None, b"==", b"=")
CANONICAL: Final = (None, b"", b"AQgw", b"AEIMQUYcgkosw048")
BLOCK: Final = 64
"""Bytes that SHA-256 takes at a time."""
IPAD: Final = bytes(byte ^ 0x36 for byte in range(256))
OPAD: Final = bytes(byte ^ 0x5C for byte in range(256))


class FastPath:
    """Reads the claims of plain HS256 tokens.

    Args:
        secret: the key.
        issuer: what `iss` must be, or None.
        audience: what `aud` must be, or None: then a token with an audience is not taken here.
        key_id: the `kid` that a header may carry.
    """

    def __init__(
        self, secret: bytes, issuer: str | None, audience: str | None, key_id: str | None
    ) -> None:
        # HMAC (RFC 2104 section 2) with the key read once: 0.6 µs a token, where `hmac.digest`
        # takes 1.4, and far more when OpenSSL's tables are in no cache.
        key = sha256(secret).digest() if len(secret) > BLOCK else secret
        self._inner = sha256(key.ljust(BLOCK, b"\0").translate(IPAD))
        self._outer = sha256(key.ljust(BLOCK, b"\0").translate(OPAD))
        self._issuer = issuer
        self._audience = audience
        self._headers = frozenset(header_segments(key_id))
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token with a good signature and nothing unusual about it, else None."""
        try:
            signed, signature = token.encode("ascii").rsplit(b".", 1)
            header, payload = signed.split(b".")
        except ValueError:
            return None
        if header not in self._headers:
            return None
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(signed)
        outer.update(inner.digest())
        # What `urlsafe_b64encode` does, without the two calls it is wrapped in.
        expected = binascii.b2a_base64(outer.digest(), newline=False).translate(URL_ALPHABET)[:-1]
        if not compare_digest(expected, signature):
            return None
        return self._read(payload)

    def _read(self, payload: bytes) -> dict[str, Any] | None:
        padding = PADDING[len(payload) & 3]
        canonical = CANONICAL[len(payload) & 3]
        if padding is None or (canonical is not None and payload[-1] not in canonical):
            return None
        try:
            text = binascii.a2b_base64(payload.translate(ALPHABET) + padding, strict_mode=True)
            claims = self._decode(text)
        except (ValueError, RecursionError):
            return None
        return claims if self._is_plain(claims) else None

    def _is_plain(self, claims: dict[str, Any]) -> bool:
        """Whether every claim that PyJWT looks at is of the usual type, and ours."""
        return (
            type(claims.get("sub")) is str
            and type(claims.get("exp")) is int
            and type(claims.get("nbf", 0)) is int
            and type(claims.get("iat", 0)) is int
            and type(claims.get("jti", "")) is str
            and claims.get("aud") == self._audience
            and (self._issuer is None or claims.get("iss") == self._issuer)
        )


def header_segments(key_id: str | None) -> list[bytes]:
    """The header segments that are taken, as they stand in a token."""
    headers: list[str] = [*HEADERS]
    if key_id is not None:
        kid = msgspec.json.encode(key_id).decode()
        headers.append(f'{{"alg":"HS256","kid":{kid},"typ":"JWT"}}')
        headers.append(f'{{"alg":"HS256","typ":"JWT","kid":{kid}}}')
    return [urlsafe_b64encode(header.encode()).rstrip(b"=") for header in headers]
