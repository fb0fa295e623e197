"""The pages that a node serves, and who is given a token by the demo."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hivewire.api import pages
from hivewire.api.listener import make_app
from hivewire.auth import Verifier

from .site import Site, story

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.unit
SET_BY_SCRIPTS = {"--ratio", "--width"}
HOST = "127.0.0.1:8001"


@contextlib.asynccontextmanager
async def in_development(site: Site, host: str = HOST) -> AsyncIterator[httpx.AsyncClient]:
    """The same node with `--dev`, as somebody at `host` sees it."""
    context = site.node.context
    context.settings = context.settings.developed()
    transport = httpx.ASGITransport(make_app(context, []))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as http:
        yield http


async def welcomed(http: httpx.AsyncClient, user: str, **headers: str) -> httpx.Response:
    return await http.post("/demo/token", json={"user": user}, headers=headers)


def test_the_demo_is_there_with_dev_alone_and_admin_always(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for path in ("/", "/demo/app.js", "/demo/token"):
            assert (await site.http.get(path)).status_code == 404, path
        assert "API key" in (await site.http.get("/admin")).text
        assert (await site.http.get("/colours.css")).status_code == 200
        async with in_development(site) as http:
            assert "Start chatting" in (await http.get("/")).text
            for path in ("/demo/app.js", "/hivewire.js", "/demo/demo.css", "/demo/icon.svg"):
                assert (await http.get(path)).status_code == 200, path
            assert (await http.get("/demo/../app.py")).status_code == 404

    story(tmp_path, tell)


def test_each_colour_is_named_in_one_place_and_every_name_is_known(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        async with in_development(site) as http:
            for page in ("/", "/admin"):
                sheets = re.findall(r'rel="stylesheet" href="([^"]+)"', (await http.get(page)).text)
                text = [(await http.get(sheet)).text for sheet in sheets]
                named = [set(re.findall(r"(--[\w-]+):", sheet)) for sheet in text]
                assert set.intersection(*named) == set(), page
                wanted = set(re.findall(r"var\((--[\w-]+)\)", "".join(text)))
                assert wanted - SET_BY_SCRIPTS <= set.union(*named)

    story(tmp_path, tell)


def test_a_page_runs_nothing_but_its_own_files(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        async with in_development(site) as http:
            page = await http.get("/")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "connect-src 'self' ws://" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        for text in (page.text, (await site.http.get("/admin")).text):
            assert "<style" not in text
            assert " style=" not in text
            assert " on" not in text.replace(" on ", " ").replace(" one", " ")

    story(tmp_path, tell)


def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        first = await site.http.get("/admin")
        again = await site.http.get("/admin", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

    story(tmp_path, tell)


def test_the_page_of_this_host_is_given_a_token(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        async with in_development(site) as http:
            answer: dict[str, Any] = (await welcomed(http, "ann", Origin=f"http://{HOST}")).json()
        assert answer["url"].startswith("ws://")
        identity = Verifier(site.node.settings.auth).verify(answer["token"], int(time.time()))
        assert identity.user == "ann"

    story(tmp_path, tell)


def test_a_foreign_page_is_given_none(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        async with in_development(site) as http:
            for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
                assert (await welcomed(http, "ann", **headers)).status_code == 403
            own = {"Origin": f"http://{HOST}"}
            for user in ("", "a b", "ann\n"):
                assert (await welcomed(http, user, **own)).status_code == 400
        # A name that somebody else's name server leads to this machine.
        async with in_development(site, "evil.example:8001") as http:
            answer = await welcomed(http, "ann", Origin="http://evil.example:8001")
            assert answer.status_code == 403

    story(tmp_path, tell)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "192.168.1.7", "[::1]"])
def test_hosts_that_no_name_server_decides_about(host: str) -> None:
    assert pages.OWN_HOST(host)


@pytest.mark.parametrize("host", ["localhost.example", "1.2.3.4.example", "chat", ""])
def test_hosts_that_one_does(host: str) -> None:
    assert not pages.OWN_HOST(host)
