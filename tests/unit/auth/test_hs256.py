"""The fast path accepts nothing that PyJWT would not, and sees the same claims."""

from __future__ import annotations

import base64
import hmac
import json
import warnings
from typing import Any

import jwt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hivewire.auth.hs256 import HEADERS, FastPath

pytestmark = pytest.mark.unit

SECRET = b"0123456789abcdef0123456789abcdef"
OPTIONS: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(header: str, payload: str, secret: bytes = SECRET) -> str:
    signed = f"{header}.{payload}"
    return f"{signed}.{segment(hmac.digest(secret, signed.encode(), 'sha256'))}"


def plain(payload: bytes) -> str:
    return sign(segment(HEADERS[0].encode()), segment(payload))


def pyjwt(token: str, **expected: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return jwt.decode(token, SECRET, algorithms=["HS256"], options=OPTIONS, **expected)


ids = st.text("abcABC019._~@+=/-", min_size=1, max_size=8)
times = st.one_of(st.integers(), st.integers(0, 2**40), st.floats(), st.text(max_size=3), st.none())
claims = st.fixed_dictionaries(
    {
        "sub": st.one_of(ids, ids, st.integers(), st.none()),
        "exp": st.one_of(st.integers(0, 2**40), times),
    },
    optional={
        "nbf": times,
        "iat": times,
        "jti": st.one_of(st.text(max_size=4), st.integers()),
        "aud": st.one_of(st.just("us"), st.just(["us", "them"]), st.just(""), st.integers()),
        "iss": st.one_of(st.just("me"), st.text(max_size=4), st.none()),
        "device": st.one_of(ids, st.integers()),
        "more": st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    },
)


@given(claims, st.sampled_from([None, "us"]), st.sampled_from([None, "me"]))
def test_what_it_accepts_pyjwt_accepts_with_equal_claims(
    body: dict[str, Any], audience: str | None, issuer: str | None
) -> None:
    token = plain(json.dumps(body).encode())
    found = FastPath(SECRET, issuer, audience, None).claims(token)
    assert found is None or found == pyjwt(token, audience=audience, issuer=issuer)


# Values as bytes: bad UTF-8, control characters, odd numbers and escapes, a name twice.
ODD = [
    *(b"1", b"1.0", b"1e999", b"-0", b"01", b"+1", b".5", b"NaN", b"Infinity", b"9" * 40, b"true"),
    *(b'"\\ud800"', b'"\\q"', b'"\x01"', b'"\xff"', b'"\xed\xa0\x80"', b'"\\u0000"', b'"a\nb"'),
    *(b"{}", b"[", b"[]", b"[1,]", b'{"a":1,"a":2}', b"", b"\x00", b"\xef\xbb\xbf", b'""', b"null"),
    *(b'"u2"', b'2,"sub":"u3"', b'2,"exp":5', b'2,"exp":"5"', b"[" * 2000 + b"]" * 2000),
]
NAMES = [b"x", b"sub", b"exp", b"nbf", b"iat", b"jti", b"device", b"\\u0073ub", b"\xff", b"\x01"]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ODD)), max_size=3))
def test_odd_payloads_are_never_read_differently(members: list[tuple[bytes, bytes]]) -> None:
    more = b"".join(b',"' + name + b'":' + value for name, value in members)
    token = plain(b'{"sub":"u1","exp":1' + more + b"}")
    found = FastPath(SECRET, None, None, None).claims(token)
    assert found is None or found == pyjwt(token)


@given(st.binary(max_size=6), st.text("AQgw=+/-_Zz.\n é", max_size=4))
def test_odd_spellings_are_never_read_differently(tail: bytes, extra: str) -> None:
    payload = segment(b'{"sub":"u1","exp":1,"x":"' + tail.hex().encode() + b'"}') + extra
    token = sign(segment(HEADERS[0].encode()), payload)
    found = FastPath(SECRET, None, None, None).claims(token)
    assert found is None or found == pyjwt(token)


@given(st.integers(0, 10_000), st.characters(codec="utf-8"))
def test_no_change_to_a_token_is_accepted(place: int, char: str) -> None:
    token = plain(b'{"sub":"u1","exp":99999999999}')
    place %= len(token)
    changed = token[:place] + char + token[place + 1 :]
    assume(changed != token)
    assert FastPath(SECRET, None, None, None).claims(changed) is None


@pytest.mark.parametrize("header", HEADERS)
def test_the_usual_tokens_take_the_fast_path(header: str) -> None:
    token = sign(segment(header.encode()), segment(b'{"sub":"u1","exp":1,"iat":0}'))
    found = FastPath(SECRET, None, None, None).claims(token)
    assert found == {"sub": "u1", "exp": 1, "iat": 0} == pyjwt(token)


def test_what_pyjwt_writes_takes_the_fast_path() -> None:
    fast = FastPath(SECRET, "me", "us", "k1")
    body = {"sub": "u1", "exp": 1, "iss": "me", "aud": "us"}
    assert fast.claims(jwt.encode(body, SECRET, headers={"kid": "k1"})) == body
    assert fast.claims(jwt.encode(body, SECRET)) == body
    assert fast.claims(jwt.encode(body, SECRET, headers={"kid": "k2"})) is None


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS512", "typ": "JWT"},
        {"alg": "RS256", "typ": "JWT"},
        {"alg": "HS256", "typ": "JWT", "jku": "https://x"},
        {"alg": "HS256", "typ": "JWT", "kid": "x"},
        {"alg": "HS256", "typ": "JWT", "crit": ["b64"], "b64": False},
    ],
)
def test_any_other_header_is_left_to_pyjwt(header: dict[str, Any]) -> None:
    token = sign(
        segment(json.dumps(header, separators=(",", ":")).encode()), segment(b'{"sub":"u"}')
    )
    assert FastPath(SECRET, None, None, None).claims(token) is None


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "\0"])
def test_what_is_no_token_is_left_to_pyjwt(token: str) -> None:
    assert FastPath(SECRET, None, None, None).claims(token) is None


@pytest.mark.parametrize("length", [1, 32, 63, 64, 65, 200])
def test_a_secret_of_any_length_signs_as_rfc_2104_has_it(length: int) -> None:
    secret = bytes(range(1, length + 1))
    token = sign(segment(HEADERS[0].encode()), segment(b'{"sub":"ann","exp":1}'), secret)
    assert FastPath(secret, None, None, None).claims(token) == {"sub": "ann", "exp": 1}
    assert FastPath(secret + b"\1", None, None, None).claims(token) is None


def test_another_secret_is_not_ours() -> None:
    token = sign(segment(HEADERS[0].encode()), segment(b'{"sub":"u1","exp":1}'), b"another" * 6)
    assert FastPath(SECRET, None, None, None).claims(token) is None
