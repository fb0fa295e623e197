"""JSON Web Tokens (RFC 7519): one algorithm, and keys that the settings name.

`Verifier.verify` first tries the fast path for HS256 (`hs256.py`), which only ever accepts; what it
does not accept is judged by PyJWT. Nothing in a token's header says where to get a key: `jku`,
`x5u`, `jwk` and `x5c` are refused, `kid` must be the configured one or one of the issuer's.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jwt
from jwt.algorithms import get_default_algorithms
from jwt.warnings import InsecureKeyLengthWarning

from hivewire.auth.hs256 import FastPath
from hivewire.auth.identity import Identity, Refused, identify
from hivewire.auth.revocations import Revocations

if TYPE_CHECKING:
    from hivewire.auth.keyring import Keyring
    from hivewire.config.sections import Auth

SECRET_BYTES: Final = 32
KEY_HEADERS: Final = frozenset({"jku", "x5u", "jwk", "x5c"})
# Times are judged by `identify`, which takes the time as an argument.
OPTIONS: Final[Any] = {
    "require": ["exp", "sub"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
UNCHECKED: Final[Any] = {"verify_signature": False}


class KeyProblem(Exception):
    """The settings hold no usable key; the text says which setting and why."""


class Verifier:
    """Checks tokens by the settings.

    Args:
        auth: the section `auth` of the settings.
        keyring: the keys that issuers publish, where the settings name some.

    Raises:
        KeyProblem: no key for the algorithm, or one that cannot be used.
    """

    def __init__(self, auth: Auth, keyring: Keyring | None = None) -> None:
        self.revocations = Revocations()
        self._auth = auth
        self._leeway = auth.leeway // 1000
        self._keyring = keyring
        self._key: Any = load_key(auth) if keyring is None else None
        self._fast: FastPath | None = None
        if auth.algorithm == "HS256":
            self._fast = FastPath(self._key, auth.issuer, auth.audience, auth.key_id)

    def verify(self, token: str, now: int) -> Identity:
        """Who `token` is for; `now` in Unix seconds.

        Raises:
            Refused: It does not count.
            KeyWanted: Its key must be fetched first (`KeyFetcher.fetch`); then ask again.
        """
        if len(token) > self._auth.token_bytes:
            raise Refused
        claims = None if self._fast is None else self._fast.claims(token)
        if claims is None:
            claims = self._judge(token)
        identity = identify(claims, now, self._leeway)
        if self.revocations.refuses(identity):
            raise Refused
        return identity

    def _judge(self, token: str) -> dict[str, Any]:
        """The claims of `token` by PyJWT's verdict. Raises Refused or KeyWanted."""
        if self._keyring is None:
            return self._check(token, self._key, self._auth.issuer)
        # Nothing of this is believed yet: it says which of the known keys is to be tried.
        unchecked = _decode(token, options=UNCHECKED)
        if unchecked["header"].get("alg") != self._auth.algorithm:
            raise Refused
        source = self._keyring.source_of(unchecked["payload"].get("iss"))
        kid = unchecked["header"].get("kid")
        key = self._keyring.find(source, kid)
        return self._check(token, key, source.issuer or self._auth.issuer)

    def _check(self, token: str, key: Any, issuer: str | None) -> dict[str, Any]:  # noqa: ANN401 - each algorithm has its own class of key
        """The claims of `token` if this key has signed it. Raises Refused."""
        auth = self._auth
        decoded = _decode(
            token,
            key,
            algorithms=[auth.algorithm],
            options=OPTIONS,
            audience=auth.audience,
            issuer=issuer,
        )
        header = decoded["header"]
        if not KEY_HEADERS.isdisjoint(header):
            raise Refused
        names_key = self._keyring is None or auth.key_id is not None
        if names_key and header.get("kid", auth.key_id) != auth.key_id:
            raise Refused
        return decoded["payload"]


def _decode(token: str, *arguments: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - PyJWT's
    """What PyJWT reads in a token, `header` and `payload`. Raises Refused."""
    try:
        with warnings.catch_warnings():
            # A short key is told once at the start (`weakness`), not with each token.
            warnings.simplefilter("ignore", InsecureKeyLengthWarning)
            return jwt.decode_complete(token, *arguments, **options)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise Refused from None


def load_key(auth: Auth) -> Any:  # noqa: ANN401 - each algorithm has its own class of key
    """The key in the form PyJWT wants for the algorithm. Raises KeyProblem."""
    if auth.algorithm == "HS256":
        secret = auth.secret.get_secret_value() if auth.secret else ""
        if not secret:
            raise KeyProblem("auth.secret: HS256 needs one (or run with --dev)")
        name, material = "auth.secret", secret.encode()
    else:
        if not auth.public_key:
            raise KeyProblem(f"auth.public_key: {auth.algorithm} needs one")
        name, material = "auth.public_key", read_public_key(auth.public_key)
    try:
        return get_default_algorithms()[auth.algorithm].prepare_key(material)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise KeyProblem(f"{name}: not a key for {auth.algorithm}: {error}") from None


def read_public_key(setting: str) -> bytes:
    """The PEM that `auth.public_key` holds or points to. Raises KeyProblem."""
    if setting.lstrip().startswith("-----BEGIN"):
        pem = setting.encode()
    else:
        try:
            pem = Path(setting).read_bytes()
        except OSError as error:
            raise KeyProblem(f"auth.public_key: {setting}: {error.strerror}") from None
    if b"PRIVATE KEY" in pem:
        raise KeyProblem("auth.public_key: that is a private key; the node needs the public one")
    return pem


def weakness(auth: Auth) -> str | None:
    """A sentence about a key that works but should be longer (RFC 7518 section 3.2), or None."""
    secret = auth.secret.get_secret_value().encode() if auth.secret else b""
    if auth.algorithm == "HS256" and len(secret) < SECRET_BYTES:
        return f"auth.secret: {len(secret)} bytes; HS256 wants {SECRET_BYTES} random ones or more"
    return None


def mint_token(
    auth: Auth, user: str, device: str | None = None, *, ttl: int = 3600, now: int | None = None
) -> str:
    """A token for `user` that lives `ttl` seconds; for HS256, where the node has the key to sign.

    Raises:
        KeyProblem: another algorithm, or no secret.
    """
    if auth.algorithm != "HS256":
        raise KeyProblem(f"auth.algorithm: the node has no key to sign {auth.algorithm} with")
    issued = int(time.time()) if now is None else now
    claims: dict[str, Any] = {"sub": user, "iat": issued, "exp": issued + ttl}
    optional = {"device": device, "iss": auth.issuer, "aud": auth.audience}
    claims |= {name: value for name, value in optional.items() if value is not None}
    headers = {"kid": auth.key_id} if auth.key_id else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        return jwt.encode(claims, load_key(auth), algorithm="HS256", headers=headers)
