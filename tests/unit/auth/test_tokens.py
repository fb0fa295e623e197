"""Tokens: one algorithm, one key, one text for every refusal (reliability: bad input)."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hivewire.auth import Identity, KeyProblem, Refused, Verifier, mint_token, weakness
from hivewire.config import load
from hivewire.config.sections import Auth

pytestmark = pytest.mark.unit

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: Any) -> str:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, public).decode()


def auth(**values: object) -> Auth:
    return load(auth={"secret": SECRET, **values}).auth


def token(claims: dict[str, Any] | None = None, **headers: object) -> str:
    body = {"sub": "u1", "exp": NOW + 60} | (claims or {})
    return jwt.encode(body, SECRET, headers=headers)


def assert_refused(text: str, **values: object) -> None:
    with pytest.raises(Refused) as caught:
        Verifier(auth(**values)).verify(text, NOW)
    assert str(caught.value) == "the token was refused"
    assert caught.value.__cause__ is None


def test_a_good_token_says_who_it_is_for() -> None:
    verifier = Verifier(auth())
    assert verifier.verify(token(), NOW) == Identity("u1", None, NOW + 60)
    assert verifier.verify(token({"device": "phone"}), NOW).device == "phone"


def test_what_we_mint_is_accepted() -> None:
    settings = auth(issuer="me", audience="us", key_id="k")
    minted = mint_token(settings, "u1", "phone", ttl=30, now=NOW)
    assert Verifier(settings).verify(minted, NOW) == Identity("u1", "phone", NOW + 30, NOW * 1000)


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_asymmetric_keys_verify(algorithm: str, tmp_path: Any) -> None:
    text = jwt.encode({"sub": "u1", "exp": NOW + 60}, KEYS[algorithm], algorithm=algorithm)
    inline = auth(algorithm=algorithm, public_key=pem(KEYS[algorithm]))
    assert Verifier(inline).verify(text, NOW).user == "u1"
    file = tmp_path / "key.pem"
    file.write_text(pem(KEYS[algorithm]))
    assert Verifier(auth(algorithm=algorithm, public_key=str(file))).verify(text, NOW).user == "u1"


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_the_public_key_is_no_secret_of_hs256(algorithm: str) -> None:
    """The old confusion: an HS256 token signed with the public key's text."""
    settings = auth(algorithm=algorithm, public_key=pem(KEYS[algorithm]))
    forged = token()
    with pytest.raises(Refused):
        Verifier(settings).verify(forged, NOW)


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(61, True), (1, True), (-59, True), (-60, False), (-3600, False)]
)
def test_expiry_has_sixty_seconds_of_leeway(seconds: int, *, accepted: bool) -> None:
    text = token({"exp": NOW + seconds})
    if accepted:
        assert Verifier(auth()).verify(text, NOW).expires == NOW + seconds
    else:
        assert_refused(text)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_from_the_future_is_refused(claim: str) -> None:
    assert Verifier(auth()).verify(token({claim: NOW + 60}), NOW).user == "u1"
    assert_refused(token({claim: NOW + 61}))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 65},
        {"sub": "two words"},
        {"sub": "a\x00b"},
        {"sub": "a\n"},
        {"sub": "käse"},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 1 << 60},
        {"exp": float("inf")},
        {"nbf": "x"},
        {"nbf": None},
        {"aud": "others"},
        {"device": 5},
        {"device": "not an id"},
        {"jti": 5},
    ],
)
def test_wrong_claims_are_refused(claims: dict[str, Any]) -> None:
    if claims.get("exp") == float("inf"):
        text = jwt.api_jws.encode(b'{"sub":"u1","exp":Infinity}', SECRET)
    elif not isinstance(claims.get("sub", ""), str):
        text = jwt.api_jws.encode(json.dumps({"exp": NOW + 60} | claims).encode(), SECRET)
    else:
        text = token(claims)
    assert_refused(text)


@pytest.mark.parametrize(
    ("expected", "claims", "accepted"),
    [
        ({"issuer": "me"}, {"iss": "me"}, True),
        ({"issuer": "me"}, {"iss": "you"}, False),
        ({"issuer": "me"}, {}, False),
        ({"audience": "us"}, {"aud": "us"}, True),
        ({"audience": "us"}, {"aud": ["them", "us"]}, True),
        ({"audience": "us"}, {"aud": ["them"]}, False),
        ({"audience": "us"}, {}, False),
    ],
)
def test_issuer_and_audience_count_when_set(
    expected: dict[str, str], claims: dict[str, Any], *, accepted: bool
) -> None:
    text = token(claims)
    if accepted:
        assert Verifier(auth(**expected)).verify(text, NOW).user == "u1"
    else:
        assert_refused(text, **expected)


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "unknown"},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5c": ["MII"]},
    ],
)
def test_headers_that_bring_or_choose_a_key_are_refused(headers: dict[str, Any]) -> None:
    assert_refused(token(**headers))


def test_the_configured_key_id_is_known() -> None:
    assert Verifier(auth(key_id="k1")).verify(token(kid="k1"), NOW).user == "u1"
    assert Verifier(auth(key_id="k1")).verify(token(), NOW).user == "u1"
    assert_refused(token(kid="k2"), key_id="k1")


def test_other_algorithms_are_refused() -> None:
    body = {"sub": "u1", "exp": NOW + 60}
    assert_refused(jwt.encode(body, None, algorithm="none"))
    assert_refused(jwt.encode(body, SECRET * 2, algorithm="HS512"))
    assert_refused(jwt.encode(body, KEYS["RS256"], algorithm="RS256"))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", ".." * 400, "\0", "é" * 9, "[" * 3000])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert_refused(text)


def test_a_huge_token_is_refused_unread() -> None:
    assert_refused(token({"more": "x" * 4096}))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"secret": None}, "auth.secret: HS256 needs one"),
        ({"secret": ""}, "auth.secret: HS256 needs one"),
        ({"algorithm": "RS256"}, "auth.public_key: RS256 needs one"),
        ({"algorithm": "RS256", "public_key": "/nowhere.pem"}, "/nowhere.pem: No such file"),
        ({"algorithm": "ES256", "public_key": "-----BEGIN PUBLIC KEY-----\nx"}, "not a key"),
        ({"secret": "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"}, "not a key"),
        ({"algorithm": "EdDSA", "public_key": "-----BEGIN PRIVATE KEY-----"}, "private key"),
    ],
)
def test_a_key_that_cannot_be_used_names_its_setting(
    values: dict[str, object], problem: str
) -> None:
    settings = load().auth.model_copy(update=dict(auth(**(values | {"secret": SECRET}))))
    if "secret" in values:
        secret = Auth.model_validate({"secret": values["secret"]}).secret
        settings = settings.model_copy(update={"secret": secret})
    with pytest.raises(KeyProblem) as caught:
        Verifier(settings)
    assert problem in str(caught.value)


def test_a_short_secret_works_and_is_told() -> None:
    settings = auth(secret="short")
    text = mint_token(settings, "u1", now=NOW)
    assert Verifier(settings).verify(text, NOW).user == "u1"
    with pytest.raises(Refused):
        Verifier(settings).verify(text + "x", NOW)
    assert "5 bytes" in str(weakness(settings))
    assert weakness(auth()) is None


def test_only_a_node_with_the_signing_key_mints() -> None:
    with pytest.raises(KeyProblem, match="no key to sign"):
        mint_token(auth(algorithm="ES256", public_key=pem(KEYS["ES256"])), "u1")
