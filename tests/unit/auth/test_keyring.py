"""Which key checks a token: by issuer, `kid` and time."""

from __future__ import annotations

from typing import Any

import pytest

from hivewire.auth import Keyring, KeyWanted, Refused, keyring_of
from hivewire.auth.jwks import NO_KID
from hivewire.auth.keyring import LEAST_AGE_S
from hivewire.config import load
from hivewire.config.jwks import Jwks

URL = "https://login.example/keys"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def keyring(clock: Clock, *urls: str, **settings: Any) -> Keyring:
    defaults = {"max_age": "100s", "min_age": "5s", "stale": "1000s"} | settings
    return Keyring(Jwks.model_validate({"urls": urls or (URL,)} | defaults), "ES256", clock)


def wants(ring: Keyring, kid: str | None = "k") -> bool:
    with pytest.raises((KeyWanted, Refused)) as told:
        ring.find(ring.sources[0], kid)
    return isinstance(told.value, KeyWanted) and told.value.source is ring.sources[0]


def test_nothing_is_known_before_the_first_fetch() -> None:
    assert wants(keyring(Clock()))


def test_a_key_is_found_by_its_name() -> None:
    ring = keyring(Clock())
    (source,) = ring.sources
    ring.put(source, {"a": 1, "b": 2}, None)
    assert (ring.find(source, "a"), ring.find(source, "b")) == (1, 2)


def test_a_token_that_names_none_gets_the_only_key() -> None:
    ring = keyring(Clock())
    (source,) = ring.sources
    ring.put(source, {"a": 1}, None)
    assert ring.find(source, None) == 1
    ring.put(source, {"a": 1, NO_KID: 2}, None)
    assert ring.find(source, None) == 2
    ring.put(source, {"a": 1, "b": 2}, None)
    assert wants(ring, None)


def test_a_name_that_nobody_knows_is_to_be_fetched_but_not_more_often_than_min_age() -> None:
    clock = Clock()
    ring = keyring(clock)
    (source,) = ring.sources
    assert ring.wait(source) == 0
    ring.put(source, {"k": 1}, None)
    assert wants(ring, "new")
    clock.now += 4
    assert ring.wait(source) == 1
    clock.now += 4
    assert ring.wait(source) == 0


@pytest.mark.parametrize("kid", ["k" * 257, 7, ["k"]])
def test_what_is_no_name_is_refused_without_a_fetch(kid: Any) -> None:
    assert not wants(keyring(Clock()), kid)


def test_stale_keys_count_while_the_source_is_down_and_no_longer() -> None:
    clock = Clock()
    ring = keyring(clock)
    (source,) = ring.sources
    ring.put(source, {"k": 1}, None)
    clock.now += 100 + 999
    ring.missed(source)
    assert ring.find(source, "k") == 1
    clock.now += 1
    assert wants(ring)


def test_while_it_is_down_an_unknown_name_may_come_again() -> None:
    clock = Clock()
    ring = keyring(clock)
    (source,) = ring.sources
    ring.put(source, {"k": 1}, None)
    clock.now += 50
    ring.missed(source)
    assert wants(ring, "new")
    assert ring.wait(source) == 5


@pytest.mark.parametrize(
    ("said", "meant"), [(None, 100.0), (50.0, 50.0), (0.0, LEAST_AGE_S), (1e9, 100.0)]
)
def test_a_source_may_shorten_the_age_but_not_to_nothing(said: float | None, meant: float) -> None:
    ring = keyring(Clock())
    (source,) = ring.sources
    ring.put(source, {"k": 1}, said)
    assert source.max_age == meant


def test_each_issuer_has_keys_of_its_own() -> None:
    ring = keyring(Clock(), f"one={URL}/1", f"two={URL}/2")
    one, two = ring.sources
    assert (ring.source_of("one"), ring.source_of("two")) == (one, two)
    ring.put(one, {"k": 1}, None)
    assert ring.find(one, "k") == 1
    with pytest.raises(KeyWanted):
        ring.find(two, "k")


@pytest.mark.parametrize("issuer", ["three", None, 7, ["one"]])
def test_who_is_no_issuer_of_ours_is_refused(issuer: object) -> None:
    with pytest.raises(Refused):
        keyring(Clock(), f"one={URL}/1", f"two={URL}/2").source_of(issuer)


def test_another_keyring_goes_on_with_what_one_knew() -> None:
    clock = Clock()
    ring = keyring(clock, f"one={URL}/1", f"two={URL}/2")
    ring.put(ring.sources[0], {"k": 1}, 50)
    clock.now += 10
    heir = keyring(clock, f"two={URL}/2", f"three={URL}/1")
    heir.take_over(ring.hand_over())
    assert heir.find(heir.sources[1], "k") == 1
    assert wants(heir)
    other = Keyring(Jwks(urls=(f"{URL}/1",)), "RS256", clock)
    other.take_over(ring.hand_over())
    assert wants(other)


def test_without_urls_there_is_no_keyring() -> None:
    assert keyring_of(load(), Clock()) is None
    settings = load(auth={"algorithm": "ES256"}, jwks={"urls": (URL,)})
    ring = keyring_of(settings, Clock())
    assert ring is not None
    assert ring.algorithm == "ES256"
