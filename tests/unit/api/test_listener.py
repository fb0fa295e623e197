"""The api listener: addresses, errors, its start and end, who may call from which page."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hivewire.api import Api
from hivewire.config import parse_address

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

    from hivewire.config import Address

pytestmark = pytest.mark.unit


async def fetch(address: Address, path: str, method: str = "GET", **more: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.request(method, f"http://{address}{path}", **more)


def test_port_zero_picks_a_free_one_and_answers(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        address = await site.node.api.start()
        assert address.port != 0
        assert (await fetch(address, "/health/live")).status_code == 200
        await site.node.api.stop()
        with pytest.raises(httpx.ConnectError):
            await fetch(address, "/health/live")

    story(tmp_path, tell)


def test_a_taken_port_is_an_error_that_names_it(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        address = await site.node.api.start()
        settings = site.node.settings
        taken = settings.api.model_copy(update={"address": str(address)})
        site.node.context.settings = settings.model_copy(update={"api": taken})
        with pytest.raises(OSError, match=f"in use: {address}"):
            await Api(site.node.context).start()

    story(tmp_path, tell)


def test_errors_have_the_shape_of_the_protocol(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        missing = await site.http.get("/nowhere")
        wrong = await site.http.post("/metrics")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        assert wrong.status_code == 405
        assert "GET" in wrong.headers["allow"]
        assert set(wrong.json()["error"]) == {"code", "message", "retryable"}

    story(tmp_path, tell)


def test_signals_stay_with_the_node(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        before = signal.getsignal(signal.SIGTERM)
        await site.node.api.start()
        assert signal.getsignal(signal.SIGTERM) is before

    story(tmp_path, tell)


def test_a_name_as_host_is_resolved(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        address = await site.node.api.start()
        assert parse_address(str(address)) == address

    story(tmp_path, tell, api={"address": "localhost:0"})


ASKS = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}


def test_pages_of_other_origins_may_call_if_the_settings_say_so(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        allowed = await site.http.options("/health/live", headers=ASKS)
        assert allowed.headers["access-control-allow-origin"] == "https://chat.example"
        refused = await site.http.options("/health/live", headers=ASKS | {"Origin": "https://eve"})
        assert "access-control-allow-origin" not in refused.headers

    story(tmp_path, tell, api={"origins": "https://chat.example"})


def test_without_the_setting_no_page_of_another_origin_may_call(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        answer = await site.http.get("/health/live", headers={"Origin": "https://chat.example"})
        assert "access-control-allow-origin" not in answer.headers

    story(tmp_path, tell)


def test_a_connection_too_many_is_turned_away(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        address = await site.node.api.start()
        async with httpx.AsyncClient() as one, httpx.AsyncClient() as two:
            assert (await one.get(f"http://{address}/health/live")).status_code == 200
            assert (await two.get(f"http://{address}/health/live")).status_code == 503

    story(tmp_path, tell, api={"connections": 1})
