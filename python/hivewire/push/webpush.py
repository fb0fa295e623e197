"""Web Push: encrypted to the browser (RFC 8291), signed with the node's key (RFC 8292)."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02  # pyright: ignore[reportMissingTypeStubs] - it has none
from pywebpush import WebPusher  # pyright: ignore[reportMissingTypeStubs] - it has none

from hivewire.auth import KeyProblem
from hivewire.core.entries import Rejection
from hivewire.push.endpoints import problem_of
from hivewire.push.transport import GONE, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hivewire.config.push import Push as Settings
    from hivewire.store.pushes import Registration

KEY_FILE: Final = "vapid.pem"
HOLDS_S: Final = 12 * 3600
"""How long a signature of ours holds; a push service takes 24 hours at most."""
RENEWED_S: Final = 3600
"""A signature is made anew when it holds for less than this."""
SIGNATURES: Final = 1024
"""Push services whose signature is kept."""


class WebPush:
    """Requests to push services.

    Args:
        settings: Those of pushes.
        directory: The data directory, for a key of our own.
        wall_s: The time of day.

    Raises:
        KeyProblem: The key cannot be used.
        OSError: It cannot be read or made.
    """

    def __init__(self, settings: Settings, directory: Path, wall_s: Callable[[], float]) -> None:
        self._settings = settings
        self._wall_s = wall_s
        self._vapid: Any = Vapid02(load_key(settings.webpush_key, directory))
        self._signatures: dict[str, tuple[int, str]] = {}
        public = self._vapid.public_key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.public_key = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
        """What a browser needs as `applicationServerKey`."""

    def refusal(self, endpoint: str, p256dh: str) -> Rejection | None:
        """Why a subscription cannot be taken."""
        settings = self._settings
        problem = problem_of(endpoint, settings.webpush_hosts, private=settings.webpush_private)
        if problem is not None:
            return Rejection("forbidden", f"`endpoint` {problem}", "endpoint")
        try:
            raw = base64.urlsafe_b64decode(p256dh.rstrip("=") + "=")
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
        except ValueError:
            return Rejection("bad_request", "`p256dh` is no point of P-256", "p256dh")
        return None

    def request(self, registration: Registration, payload: bytes, *, urgent: bool) -> Request:
        """The call that hands a payload to the browser's push service."""
        keys = {"p256dh": registration.p256dh, "auth": registration.auth}
        pusher: Any = WebPusher({"endpoint": registration.endpoint, "keys": keys})
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(self._settings.expires // 1000),
            "Urgency": "high" if urgent else "low",
            "Authorization": self._signature(registration.endpoint),
        }
        body: bytes = pusher.encode(payload, "aes128gcm")["body"]
        guarded = not self._settings.webpush_private
        return Request(registration.endpoint, headers, body, guarded, GONE)

    def _signature(self, endpoint: str) -> str:
        """Who we are, for one push service; made once in a while."""
        parts, now = urlsplit(endpoint), int(self._wall_s())
        audience = f"{parts.scheme}://{parts.netloc}"
        expires, signature = self._signatures.get(audience, (0, ""))
        if expires - now < RENEWED_S:
            expires = now + HOLDS_S
            claims = {"aud": audience, "exp": expires, "sub": self._settings.webpush_contact}
            signature = str(self._vapid.sign(claims)["Authorization"])
            if len(self._signatures) >= SIGNATURES:
                self._signatures.clear()
            self._signatures[audience] = expires, signature
        return signature


def load_key(path: Path | None, directory: Path) -> ec.EllipticCurvePrivateKey:
    """The private key of the settings, or the one in the data directory, made on the first call."""
    own = directory / KEY_FILE
    if path is None and not own.exists():
        _make_key(own)
    found = path or own
    try:
        key = serialization.load_pem_private_key(found.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyProblem(f"push.webpush_key: {found} is no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise KeyProblem(f"push.webpush_key: {found} is no key of P-256")
    return key


def _make_key(path: Path) -> None:
    """Make a key for its owner alone; it is there as a whole or not at all."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
