"""Every request has an id, its own or the node's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from hivewire.api.request_ids import USER, RequestIds
from hivewire.config.sections import Log
from hivewire.log import REQUEST

if TYPE_CHECKING:
    from starlette.requests import Request

pytestmark = pytest.mark.unit
ID = "X-Request-Id"


async def seen(request: Request) -> PlainTextResponse:
    request.scope[USER] = "ann"
    return PlainTextResponse(str(REQUEST.get()))


async def broken(_: Request) -> PlainTextResponse:
    raise ValueError("a bug")


async def ask(path: str, given: str | bytes | None = None, level: Any = "info") -> httpx.Response:
    app = Starlette(routes=[Route("/seen", seen), Route("/broken", broken)])
    transport = httpx.ASGITransport(RequestIds(app, Log(level=level)))
    headers: Any = {} if given is None else {ID: given}
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        return await http.get(path, headers=headers)


async def test_who_names_his_request_finds_the_name_again() -> None:
    found = await ask("/seen", "order-4711:no")
    assert found.headers[ID] != "order-4711:no"
    found = await ask("/seen", "order-4711")
    assert (found.headers[ID], found.text) == ("order-4711", "order-4711")
    assert (await ask("/nowhere", "order-4711")).headers[ID] == "order-4711"


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "\xe9t\xe9", "a\x01"])
async def test_what_is_not_well_formed_gets_a_new_one(given: str | None) -> None:
    raw = None if given is None else given.encode("latin-1")
    first, second = [await ask("/seen", raw) for _ in range(2)]
    assert re.fullmatch("[0-9a-f]{16}", first.headers[ID])
    assert first.headers[ID] == first.text != second.text


async def test_each_request_has_a_line_where_one_debugs() -> None:
    with structlog.testing.capture_logs() as lines:
        await ask("/seen?signature=secret", "r-1")
        assert lines == []
        await ask("/seen?signature=secret", "r-1", level="debug")
    (line,) = lines
    assert line.pop("took_ms") > 0
    assert line == {
        "event": "answered", "log_level": "debug", "request": "r-1", "user": "ann",
        "method": "GET", "path": "/seen", "status": 200,
    }  # fmt: skip


async def test_a_bug_is_logged_with_the_request() -> None:
    with structlog.testing.capture_logs() as lines:
        found = await ask("/broken", "r-2")
    assert (found.status_code, found.headers[ID]) == (500, "r-2")
    (line,) = lines
    assert (line["event"], line["request"], line["path"]) == ("a request failed", "r-2", "/broken")
    assert line["exc_info"] is True
