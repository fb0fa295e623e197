"""Who calls: tokens, the application's own word, the API key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from starlette.datastructures import Headers

from hivewire.api.access import device_of
from hivewire.api.errors import ApiError
from hivewire.auth import Identity, mint_token
from hivewire.hooks import App, Credentials
from hivewire.hooks.values import Identity as Known

from .site import KEY, Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


async def refusal(site: Site, headers: dict[str, str]) -> str:
    with pytest.raises(ApiError) as caught:
        await site.node.context.access.user(Headers(headers))
    return caught.value.code


def test_a_token_says_who_calls(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        access = site.node.context.access
        found = await access.user(Headers(site.bearer("ann", "phone")))
        assert (found.user, found.device) == ("ann", "phone")

    story(tmp_path, tell)


def test_without_a_good_token_nobody_calls(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        old = mint_token(site.node.settings.auth, "ann", ttl=-3600)
        for shown in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {old}"}):
            assert await refusal(site, shown) == "unauthorized"
        token = site.bearer("ann")["Authorization"].removeprefix("Bearer ")
        assert await refusal(site, {"Authorization": f"Basic {token}"}) == "unauthorized"

    story(tmp_path, tell)


def test_the_application_has_the_word_where_it_authenticates(tmp_path: Path) -> None:
    app = App()

    @app.authenticate
    async def authenticate(credentials: Credentials) -> Known | None:
        if credentials.token == "hangs":
            await asyncio.sleep(60)
        return Known("ann") if credentials.token == "open sesame" else None

    async def tell(site: Site) -> None:
        access = site.node.context.access
        found = await access.user(Headers({"Authorization": "Bearer open sesame"}))
        assert found.user == "ann"
        assert await refusal(site, {"Authorization": "Bearer friend"}) == "unauthorized"
        assert await refusal(site, {"Authorization": "Bearer hangs"}) == "unavailable"

    story(tmp_path, tell, app=app, hooks={"timeout": "50ms"})


def test_a_server_shows_the_key(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        access = site.node.context.access
        access.server(Headers({"X-API-Key": KEY}))
        for shown in ({}, {"X-API-Key": ""}, {"X-API-Key": KEY + "x"}, {"X-API-Key": "\xe9"}):
            with pytest.raises(ApiError, match="unauthorized"):
                access.server(Headers(shown))

    story(tmp_path, tell)


def test_without_a_key_in_the_settings_no_server_calls(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        with pytest.raises(ApiError, match="unauthorized"):
            site.node.context.access.server(Headers({"X-API-Key": ""}))

    story(tmp_path, tell, api={"key": None})


def test_a_call_s_device_is_that_of_the_token() -> None:
    free, bound = Identity("ann", None, 9), Identity("ann", "phone", 9)
    assert (device_of(free, None), device_of(free, "tab")) == ("http", "tab")
    assert (device_of(bound, None), device_of(bound, "phone")) == ("phone", "phone")
    with pytest.raises(ApiError, match="forbidden"):
        device_of(bound, "tab")
