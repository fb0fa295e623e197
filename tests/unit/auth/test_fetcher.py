"""Fetches of keys from a real server: good, hostile, slow, down."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.certificates import issue
from tests.issuer import Answer, Issuer

from hivewire.auth.fetcher import KeyFetcher, PublishedKeys
from hivewire.auth.jwks import SET_BYTES
from hivewire.auth.keyring import Keyring
from hivewire.config import load
from hivewire.config.jwks import Jwks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Clock:
    """Stands still, so that nothing gets old and nothing is too early by chance."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def fetching(
    issuer: Issuer, **settings: Any
) -> AsyncIterator[tuple[Keyring, KeyFetcher, Clock]]:
    """A fetcher that fetches only when it is asked: its own timers are far away."""
    clock = Clock()
    defaults = {"urls": (issuer.url,), "min_age": "10s", "max_age": "100s"} | settings
    jwks = Jwks.model_validate(defaults)
    keyring = Keyring(jwks, issuer.algorithm, clock)
    fetcher = KeyFetcher(keyring, jwks, asyncio.get_running_loop())
    try:
        yield keyring, fetcher, clock
    finally:
        await fetcher.stop()


async def fetch(keyring: Keyring, fetcher: KeyFetcher) -> bool:
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    fetcher.fetch(keyring.sources[0], told.set_result)
    return await asyncio.wait_for(told, 20)


async def test_a_fetch_fills_the_keyring() -> None:
    with Issuer() as issuer:
        async with fetching(issuer) as (keyring, fetcher, _):
            assert await fetch(keyring, fetcher)
            assert keyring.sources[0].keys.keys() == {"first"}
            assert keyring.sources[0].max_age == 100


async def test_who_comes_meanwhile_waits_for_the_same_answer() -> None:
    with Issuer() as issuer:
        async with fetching(issuer) as (keyring, fetcher, _):
            assert all(await asyncio.gather(*(fetch(keyring, fetcher) for _ in range(200))))
    assert issuer.asked == 1


async def test_who_comes_too_early_waits_for_the_next_time() -> None:
    with Issuer() as issuer:
        async with fetching(issuer, min_age="200ms") as (keyring, fetcher, clock):
            assert await fetch(keyring, fetcher)
            issuer.rotate("second")
            assert keyring.wait(keyring.sources[0]) > 0
            both = asyncio.gather(*(fetch(keyring, fetcher) for _ in range(2)))
            clock.now += 1
            assert await both == [True, True]
            assert keyring.sources[0].keys.keys() == {"first", "second"}
    assert issuer.asked == 2


async def test_over_tls_only_with_an_authority_that_counts(tmp_path: Path) -> None:
    with Issuer(tls=issue(tmp_path, "issuer")) as issuer:
        async with fetching(issuer, ca=str(tmp_path / "issuer.crt")) as (keyring, fetcher, _):
            assert await fetch(keyring, fetcher)
        async with fetching(issuer) as (keyring, fetcher, _):
            assert not await fetch(keyring, fetcher)
        async with fetching(issuer, ca="/no/such/file") as (keyring, fetcher, _):
            assert not await fetch(keyring, fetcher)


HOSTILE = {
    "an error": Answer(b"{}", 500),
    "a page": Answer(b"<html>sign in</html>"),
    "no keys": Answer(b'{"keys":[]}'),
    "keys of other algorithms": Answer(
        json.dumps({"keys": [Issuer("EdDSA").jwk("first")]}).encode()
    ),
    "endless": Answer(b" " * (4 * SET_BYTES)),
    "compressed": Answer(b"\x1f\x8b\x08\x00", 200, (("content-encoding", "gzip"),)),
    "elsewhere": Answer(b"", 302, (("location", "http://127.0.0.1:1/keys"),)),
    "slow": Answer(b"{}", wait=4),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_fetch_that_brings_nothing_leaves_what_was_there(what: str) -> None:
    with Issuer() as issuer:
        timeout = "1s" if what == "slow" else "20s"
        async with fetching(issuer, timeout=timeout) as (keyring, fetcher, clock):
            assert await fetch(keyring, fetcher)
            issuer.answers = lambda: HOSTILE[what]
            clock.now += 10
            assert not await fetch(keyring, fetcher)
            assert keyring.sources[0].keys.keys() == {"first"}
            assert keyring.find(keyring.sources[0], "first")


async def test_after_a_failure_nobody_is_asked_for_min_age() -> None:
    issuer = Issuer().start()
    issuer.stop()
    async with fetching(issuer) as (keyring, fetcher, clock):
        assert not await fetch(keyring, fetcher)
        with issuer:
            assert not await fetch(keyring, fetcher)
            assert issuer.asked == 0
            clock.now += 10
            assert await fetch(keyring, fetcher)


async def test_a_server_says_how_long_its_keys_count() -> None:
    with Issuer() as issuer:
        issuer.answers = lambda: issuer.published()._replace(
            headers=(("cache-control", "public, max-age=60, must-revalidate"),)
        )
        async with fetching(issuer) as (keyring, fetcher, _):
            assert await fetch(keyring, fetcher)
            assert keyring.sources[0].max_age == 60


async def test_keys_are_fetched_again_before_they_are_old() -> None:
    with Issuer() as issuer:
        async with fetching(issuer, max_age="1s") as (_, fetcher, _):
            fetcher.start()
            async with asyncio.timeout(20):
                while issuer.asked < 3:  # noqa: ASYNC110 - the server is a thread
                    await asyncio.sleep(0.05)


async def test_a_source_that_comes_back_is_found_without_anybody_asking() -> None:
    issuer = Issuer().start()
    issuer.stop()
    async with fetching(issuer, min_age="100ms") as (keyring, fetcher, _):
        fetcher.start()
        async with asyncio.timeout(20):
            while keyring.sources[0].tried_at is None:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)
            with issuer:
                while not keyring.sources[0].keys:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.02)


async def test_who_waits_when_the_node_stops_is_told_that_there_is_nothing() -> None:
    with Issuer() as issuer:
        issuer.answers = lambda: HOSTILE["slow"]
        told: list[bool] = []
        async with fetching(issuer) as (keyring, fetcher, _):
            fetcher.fetch(keyring.sources[0], told.append)
            await asyncio.sleep(0)
        assert told == [False]


async def test_without_published_keys_there_is_nothing_to_do() -> None:
    keys = PublishedKeys(load(), asyncio.get_running_loop())
    keys.start()
    await keys.stop()
    assert keys.keyring is None
