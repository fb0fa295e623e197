"""The api listener: addresses, errors, its start and end."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from hivewire.api import Api
from hivewire.config import parse_address
from hivewire.metrics import Metrics

pytestmark = pytest.mark.unit


async def fetch(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.request(method, url)


def test_port_zero_picks_a_free_one_and_answers() -> None:
    async def story() -> None:
        api = Api("127.0.0.1:0", Metrics(), lambda: None)
        address = await api.start()
        assert address.port != 0
        assert (await fetch(f"http://{address}/health/live")).status_code == 200
        await api.stop()
        with pytest.raises(httpx.ConnectError):
            await fetch(f"http://{address}/health/live")

    asyncio.run(story())


def test_a_taken_port_is_an_error_that_names_it() -> None:
    async def story() -> None:
        first = Api("127.0.0.1:0", Metrics(), lambda: None)
        address = await first.start()
        with pytest.raises(OSError, match=f"in use: {address}"):
            await Api(str(address), Metrics(), lambda: None).start()
        await first.stop()

    asyncio.run(story())


def test_errors_have_the_shape_of_the_protocol() -> None:
    async def story() -> None:
        api = Api("127.0.0.1:0", Metrics(), lambda: None)
        address = await api.start()
        missing = await fetch(f"http://{address}/nowhere")
        wrong = await fetch(f"http://{address}/metrics", "POST")
        await api.stop()
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        assert wrong.status_code == 405
        assert "GET" in wrong.headers["allow"]
        assert set(wrong.json()["error"]) == {"code", "message", "retryable"}

    asyncio.run(story())


def test_signals_stay_with_the_node() -> None:
    async def story() -> None:
        before = signal.getsignal(signal.SIGTERM)
        api = Api("127.0.0.1:0", Metrics(), lambda: None)
        await api.start()
        assert signal.getsignal(signal.SIGTERM) is before
        await api.stop()

    asyncio.run(story())


def test_a_name_as_host_is_resolved() -> None:
    async def story() -> None:
        api = Api("localhost:0", Metrics(), lambda: None)
        address = await api.start()
        assert parse_address(str(address)) == address
        await api.stop()

    asyncio.run(story())
