from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pydantic import ValidationError

from hivewire.auth import KeyProblem
from hivewire.config.push import Push as Settings
from hivewire.push.webpush import HOLDS_S, KEY_FILE, RENEWED_S, WebPush, load_key
from hivewire.store.pushes import Registration
from tests.e2e.receiver import Browser, Call

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
NOW = 1_700_000_000
URL = "https://updates.push.services.mozilla.com/wpush/v2/x"


def web(tmp_path: Path, now: list[int] | None = None, **settings: Any) -> WebPush:
    chosen = Settings(webpush=True, webpush_contact="mailto:ops@example.org", **settings)
    clock = now or [NOW]
    return WebPush(chosen, tmp_path, lambda: clock[0])


def registration(browser: Browser, url: str = URL) -> Registration:
    fields = browser.subscription(url)
    return Registration("webpush", url, 1, p256dh=fields["p256dh"], auth=fields["auth"])


def claims(authorization: str) -> dict[str, Any]:
    """What a push service checks (RFC 8292)."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    fields = dict(field.split("=", 1) for field in rest.split(","))
    raw = base64.urlsafe_b64decode(fields["k"] + "=")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    options: Any = {"verify_exp": False, "verify_aud": False}
    return jwt.decode(fields["t"], key, algorithms=["ES256"], options=options)


def test_only_the_browser_can_read_it_and_the_service_knows_who_we_are(tmp_path: Path) -> None:
    browser, pusher = Browser(), web(tmp_path)
    request = pusher.request(registration(browser), b'{"a":"b"}', urgent=True)
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert browser.open(Call(0, "/", headers, request.body)) == {"a": "b"}
    assert headers["urgency"] == "high"
    assert request.guarded
    assert claims(headers["authorization"]) == {
        "aud": "https://updates.push.services.mozilla.com",
        "exp": NOW + HOLDS_S,
        "sub": "mailto:ops@example.org",
    }
    assert headers["authorization"].endswith(f"k={pusher.public_key}")


def test_a_signature_serves_until_it_is_old(tmp_path: Path) -> None:
    now = [NOW]
    pusher, target = web(tmp_path, now), registration(Browser())

    def signed() -> str:
        return pusher.request(target, b"{}", urgent=False).headers["Authorization"]

    first = signed()
    now[0] += HOLDS_S - RENEWED_S
    assert signed() == first
    now[0] += 1
    assert signed() != first


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    assert web(tmp_path).public_key == web(tmp_path).public_key
    file = tmp_path / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert web(tmp_path / "other", webpush_key=file).public_key == web(tmp_path).public_key


def test_a_key_that_is_none_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    for content in (b"no key", pem(ed25519.Ed25519PrivateKey.generate())):
        file.write_bytes(content)
        with pytest.raises(KeyProblem, match=r"push\.webpush_key"):
            load_key(file, tmp_path)
    with pytest.raises(FileNotFoundError):
        load_key(tmp_path / "absent", tmp_path)


def pem(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_subscriptions_are_looked_at(tmp_path: Path) -> None:
    pusher, good = web(tmp_path), Browser().subscription(URL)
    assert pusher.refusal(URL, good["p256dh"]) is None
    refused = pusher.refusal("https://evil.example/", good["p256dh"])
    assert refused is not None
    assert (refused.code, refused.field) == ("forbidden", "endpoint")
    refused = pusher.refusal(URL, base64.urlsafe_b64encode(b"\x04" + bytes(64)).decode())
    assert refused is not None
    assert (refused.code, refused.field) == ("bad_request", "p256dh")


def test_text_fits_in_any_case() -> None:
    with pytest.raises(ValidationError):
        Settings(text_bytes="4KiB")
