"""The way of every request: who calls, what is asked, the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct
from starlette.responses import PlainTextResponse

from hivewire.api.endpoint import Asked, Endpoint, Who

from .site import KEY, Site, story

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hivewire.app import Node

pytestmark = pytest.mark.unit


class Asks(Struct):
    n: int
    name: str = ""


async def echo(asked: Asked) -> Asks:
    return asked.values


async def whoami(asked: Asked) -> bytes:
    return b'{"user":"%b"}' % asked.user.encode()


async def text(_asked: Asked) -> PlainTextResponse:
    return PlainTextResponse("yes")


def served(_node: Node) -> list[Endpoint]:
    return [
        Endpoint("POST", "/echo", "", echo, Who.SERVER, takes=Asks, gives=Asks),
        Endpoint("GET", "/echo", "", echo, Who.ANYONE, takes=Asks, gives=Asks),
        Endpoint("GET", "/me", "", whoami, Who.USER),
        Endpoint("GET", "/text", "", text, Who.ANYONE),
        Endpoint("GET", "/broken", "", whoami, Who.ANYONE),
    ]


async def refused(site: Site, body: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    found = await site.call(None, "POST", "/echo", content=body, **more)
    return found.status_code, found.json()["error"]


def test_a_body_and_a_query_become_values(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        assert await site.post(None, "/echo", n=4, name="x", more=1) == {"n": 4, "name": "x"}
        assert await site.get(None, "/echo", n="4", more="1") == {"n": 4, "name": ""}
        assert await site.get("ann", "/me") == {"user": "ann"}
        assert (await site.http.get("/text")).text == "yes"

    story(tmp_path, tell, served=served)


def test_I9_what_is_wrong_is_told_by_its_field(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for body, field in (
            (b"{}", "n"),
            (b'{"n":"4"}', "n"),
            (b'{"n":4,"name":5}', "name"),
            (b"[]", None),
            (b"", None),
            (b"nonsense", None),
            (b'{"n":4,"name":"\xff"}', None),
            (b'{"x":' * 5000, None),
        ):
            status, error = await refused(site, body)
            assert (status, error["code"], error.get("field")) == (400, "bad_request", field), body
        assert (await site.http.get("/echo?n=x")).json()["error"]["field"] == "n"
        assert (await site.http.get("/echo")).status_code == 400
        assert (await site.http.get("/echo?n=1&n=2")).status_code == 400

    story(tmp_path, tell, served=served)


def test_a_stranger_s_body_is_not_looked_at(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        async def body() -> AsyncIterator[bytes]:
            raise AssertionError("read")
            yield b""

        found = await site.http.post("/echo", content=body())
        assert found.status_code == 401

    story(tmp_path, tell, served=served)


def test_a_body_that_says_it_is_too_large_is_not_read(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        asked: list[int] = []

        async def body() -> AsyncIterator[bytes]:
            asked.append(1)
            yield b"x"

        length = {"X-API-Key": KEY, "Content-Length": str(64 * 1024 + 1)}
        found = await site.http.post("/echo", content=body(), headers=length)
        assert (found.status_code, asked) == (413, [])

    story(tmp_path, tell, served=served, api={"body_bytes": "64KiB"})


def test_a_body_that_does_not_say_is_read_as_far_as_it_may_go(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 10_000

        assert (await refused(site, body()))[0] == 413

    story(tmp_path, tell, served=served, api={"body_bytes": "64KiB"})


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        async def body() -> AsyncIterator[bytes]:
            await asyncio.sleep(60)
            yield b"{}"

        assert (await refused(site, body()))[0] == 408

    story(tmp_path, tell, served=served, api={"body_time": "100ms"})


def test_a_mistake_of_ours_is_internal(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        found = await site.http.get("/broken")
        assert (found.status_code, found.json()["error"]["code"]) == (500, "internal")

    story(tmp_path, tell, served=served)


def test_a_node_that_goes_down_takes_no_calls(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        site.node.api.drain()
        found = await site.call("ann", "GET", "/me")
        assert (found.status_code, found.headers["retry-after"]) == (503, "1")
        assert (await site.http.get("/text")).status_code == 200

    story(tmp_path, tell, served=served)
