"""A fresh token is there before the old one ends."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from hivewire.client.errors import Disconnected
from hivewire.client.renewal import LEAST_SECONDS, Renewal
from tests.unit.client.virtual import run

pytestmark = pytest.mark.unit


class Tokens:
    """An application that gives tokens, and a server that is told of them."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.told: list[tuple[float, str]] = []
        self.failure = failure
        self.renewal = Renewal(self.fetch, self.refresh)

    async def fetch(self) -> str:
        if self.failure is not None:
            raise self.failure
        return "fresh"

    async def refresh(self, token: str) -> None:
        self.told.append((asyncio.get_running_loop().time(), token))

    def connected(self, life: float, *, ahead: float = 0.0) -> None:
        server_time = (time.time() + ahead) * 1000
        answer = {"token_expires": round(server_time + life * 1000), "server_time": server_time}
        self.renewal.on_answer(answer)


@pytest.mark.parametrize(("life", "wait"), [(3600, 3540), (100, 90), (0, LEAST_SECONDS)])
@pytest.mark.parametrize("ahead", [0.0, -7200.0])
def test_it_comes_a_minute_before_or_at_nine_tenths(life: float, wait: float, ahead: float) -> None:
    async def story() -> None:
        tokens = Tokens()
        tokens.connected(life, ahead=ahead)
        await asyncio.sleep(4000)
        ((when, token),) = tokens.told
        assert token == "fresh"
        assert when == pytest.approx(wait, abs=2)

    run(story())


def test_a_line_that_is_gone_needs_none() -> None:
    async def story() -> None:
        tokens = Tokens()
        tokens.connected(100)
        tokens.renewal.stop()
        await asyncio.sleep(4000)
        assert tokens.told == []

    run(story())


@pytest.mark.parametrize("failure", [OSError("no network"), Disconnected("gone")])
def test_who_cannot_fetch_one_lets_the_line_end(failure: Exception) -> None:
    async def story() -> None:
        tokens = Tokens(failure)
        tokens.connected(100)
        await asyncio.sleep(4000)
        assert tokens.told == []

    run(story())


def test_a_fixed_token_is_left_alone() -> None:
    async def story() -> None:
        told: list[Any] = []

        async def refresh(token: str) -> None:
            told.append(token)

        Renewal(None, refresh).on_answer({"token_expires": 1})
        await asyncio.sleep(4000)
        assert told == []

    run(story())
