"""A published set of keys (RFC 7517) read: bytes in, by `kid` the keys that are good for one use.

What is not for that use is passed over and not an error: a set holds keys for other purposes too.
A key that cannot be misread is taken only; a shared secret or a private key in a set never is.
"""

from __future__ import annotations

from typing import Any, Final

import jwt
import msgspec
from jwt.algorithms import get_default_algorithms

SET_BYTES: Final = 256 * 1024
"""A larger document is refused unread."""
SET_KEYS: Final = 64
"""Of a set, so many keys are looked at."""
RSA_BITS: Final = range(2048, 16_385)
"""RFC 7518 section 3.3 below; above, a check takes so long that it is an attack."""
KID_CHARACTERS: Final = 256
NO_KID: Final = ""
"""A key that has no name."""
# What a key of each algorithm must say of itself (RFC 7518 section 6, RFC 8037 section 2).
SHAPES: Final[dict[str, dict[str, str]]] = {
    "RS256": {"kty": "RSA"},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
}
PRIVATE: Final = frozenset({"d", "p", "q", "k"})

_decode = msgspec.json.Decoder().decode


class BadKeySet(ValueError):
    """A document that is no set of keys; the text says why."""


def read_keys(document: bytes, algorithm: str) -> dict[str, Any]:
    """The keys for `algorithm` by `kid` (`NO_KID` where there is none), as PyJWT wants them.

    Of two with the same `kid` the first counts. Raises BadKeySet.
    """
    if len(document) > SET_BYTES:
        raise BadKeySet(f"larger than {SET_BYTES} bytes")
    try:
        found = _decode(document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadKeySet(f"no JSON: {error}") from None
    entries = found.get("keys") if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - whatever it holds
    if not isinstance(entries, list):
        raise BadKeySet("there is no list `keys`")
    usable: dict[str, Any] = {}
    for entry in entries[:SET_KEYS]:  # pyright: ignore[reportUnknownVariableType] - looked at below
        if not isinstance(entry, dict):
            continue
        kid = entry.get("kid", NO_KID)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - the same
        if not isinstance(kid, str) or len(kid) > KID_CHARACTERS or kid in usable:
            continue
        key = read_key(entry, algorithm)  # pyright: ignore[reportUnknownArgumentType] - the same
        if key is not None:
            usable[kid] = key
    return usable


def read_key(entry: dict[str, Any], algorithm: str) -> Any | None:  # noqa: ANN401 - each has its own
    """A key of a set, if it is for checking signatures of `algorithm` and can be used."""
    shape = SHAPES[algorithm]
    operations = entry.get("key_ops", ["verify"])
    is_meant = (
        all(entry.get(name) == value for name, value in shape.items())
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
        and PRIVATE.isdisjoint(entry)
    )
    if not is_meant:
        return None
    try:
        key: Any = get_default_algorithms()[algorithm].from_jwk(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError):
        return None
    return key if algorithm != "RS256" or key.key_size in RSA_BITS else None
