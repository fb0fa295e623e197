"""Sets of keys as issuers publish them, and as an attacker would like them to be read."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import get_default_algorithms
from tests.issuer import jwk_of, new_key

from hivewire.auth.jwks import NO_KID, SET_BYTES, SET_KEYS, BadKeySet, read_keys

ALGORITHMS = ("RS256", "ES256", "EdDSA")
PRIVATE = {algorithm: new_key(algorithm) for algorithm in ALGORITHMS}


def entry(algorithm: str = "ES256", **fields: Any) -> dict[str, Any]:
    found = jwk_of(PRIVATE[algorithm], algorithm) | {"kid": "k"} | fields
    return {name: value for name, value in found.items() if value is not None}


def read(*entries: Any, algorithm: str = "ES256") -> dict[str, Any]:
    return read_keys(json.dumps({"keys": list(entries)}).encode(), algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_checks_what_its_other_half_signed(algorithm: str) -> None:
    signed = jwt.encode({"sub": "ann"}, PRIVATE[algorithm], algorithm)
    (key,) = read(entry(algorithm), algorithm=algorithm).values()
    assert jwt.decode(signed, key, [algorithm]) == {"sub": "ann"}


def test_what_is_optional_may_be_left_out() -> None:
    assert read(entry(use=None, alg=None)).keys() == {"k"}
    assert read(entry(kid=None)).keys() == {NO_KID}
    assert read(entry(key_ops=["verify"])).keys() == {"k"}


def test_of_two_with_one_name_the_first_counts() -> None:
    other = jwk_of(new_key("ES256"), "ES256") | {"kid": "k"}
    first, second = read(entry(), other)["k"], read(other)["k"]
    assert first.public_numbers() == PRIVATE["ES256"].public_key().public_numbers()
    assert first.public_numbers() != second.public_numbers()


@pytest.mark.parametrize(
    "useless",
    [
        entry("RS256"),
        entry("EdDSA"),
        entry(use="enc"),
        entry(alg="ES384"),
        entry(alg="HS256"),
        entry(key_ops=["sign"]),
        entry(key_ops="verify"),
        entry(kid=7),
        entry(kid="k" * 257),
        entry(kty="oct", k="c2VjcmV0"),
        entry(crv="P-384"),
        entry(x="!"),
        entry(x="AA"),
        entry(y=None),
        entry(x=None),
        entry(x=5),
        {},
        7,
        None,
        [],
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_passed_over(useless: Any) -> None:
    assert read(useless, entry(kid="good")).keys() == {"good"}


def test_a_published_secret_or_private_key_is_never_used() -> None:
    shared = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "s", "alg": "HS256"}
    assert read(shared, algorithm="RS256") == {}
    private = get_default_algorithms()["ES256"].to_jwk(PRIVATE["ES256"], as_dict=True)
    assert "d" in private
    assert read(private | {"kid": "p"}) == {}


def test_a_short_rsa_key_and_an_endless_one_are_passed_over() -> None:
    short = jwk_of(new_key("RS256", bits=1024), "RS256") | {"kid": "short"}
    endless = entry("RS256", kid="endless", n="v" * 11_000)
    found = read(short, endless, entry("RS256"), algorithm="RS256")
    assert found.keys() == {"k"}


def test_a_point_off_the_curve_is_no_key() -> None:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    fine = jwk_of(PRIVATE["ES256"], "ES256")
    assert numbers.x
    assert read(entry(y=fine["x"])) == {}


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", b"[]", b'"keys"', b"{}", b'{"keys":{}}', b'{"keys":7}', b"[" * 100_000],
    ids=lambda text: text[:12].decode(),
)
def test_what_is_no_set_is_refused(document: bytes) -> None:
    with pytest.raises(BadKeySet):
        read_keys(document, "ES256")


def test_a_huge_set_is_refused_unread_and_a_long_one_cut() -> None:
    with pytest.raises(BadKeySet, match="larger"):
        read_keys(b'{"keys":[]}' + b" " * SET_BYTES, "ES256")
    junk = [{"kty": "oct"}] * SET_KEYS
    assert read(*junk, entry()) == {}
