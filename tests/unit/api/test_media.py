"""Uploads through the api of a node in this process."""

from __future__ import annotations

import base64
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.api.errors import ApiError
from hivewire.api.media import CACHE, GUARDS
from tests.unit.media.room import picture

from .site import Site, site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.unit
PATH = "/api/v1/media"
PAGE = b"<!DOCTYPE html><script>alert(1)</script>"
UNKNOWN_ID = "0f" * 32


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    async with site(folder, media={"keep_free": 0, **settings}) as found:
        await found.node.media.start()
        yield found


async def upload(found: Site, data: bytes, user: str = "ann") -> dict[str, Any]:
    answer = await found.call(user, "POST", PATH, content=data)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def fetch(found: Site, url: str, **headers: str) -> httpx.Response:
    """With nothing but the link."""
    return await found.http.get(url, headers=headers)


async def test_a_file_goes_in_and_comes_out_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        data = picture(size=(640, 480))
        told = await upload(found, data)
        assert told["id"] == hashlib.sha256(data).hexdigest()
        assert (told["mime"], told["bytes"]) == ("image/png", len(data))
        assert (told["width"], told["height"]) == (640, 480)
        got = await fetch(found, told["url"])
        assert (got.status_code, got.content) == (200, data)
        assert got.headers["content-type"] == "image/png"
        assert got.headers["content-disposition"] == "inline"
        assert got.headers["cache-control"] == CACHE
        small = await fetch(found, told["thumbnail_url"])
        assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
        assert small.content[8:12] == b"WEBP"


async def test_a_form_is_taken_as_well_as_the_bytes_themselves(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        files = {"file": ("../../evil.png", b"hello", "image/png")}
        answer = await found.call("ann", "POST", PATH, files=files, data={"note": "x"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == hashlib.sha256(b"hello").hexdigest()
        assert answer.json()["mime"] == "text/plain", "found in the bytes, not in what was said"
        assert answer.json()["thumbnail_url"] is None


async def test_who_has_a_token_needs_no_link(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, b"hello")
        path = f"{PATH}/{told['id']}"
        assert (await found.call("bob", "GET", path)).content == b"hello"
        again = await found.get("bob", f"{path}/link")
        assert again == told
        assert (await found.call("bob", "HEAD", path)).headers["content-length"] == "5"


async def test_who_has_neither_gets_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, picture())
        path, _, query = told["url"].partition("?")
        for url in (path, f"{path}/thumbnail", f"{path}?{query.partition('&')[0]}"):
            assert (await fetch(found, url)).status_code == 401, url
        for url in (told["url"][:-1], f"{path}/thumbnail?{query}"):
            assert (await fetch(found, url)).status_code == 403, url
        for method, url in (("POST", PATH), ("GET", f"{path}/link")):
            assert (await found.http.request(method, url)).status_code == 401, url
        wrong = {"Authorization": "Bearer x"}
        assert (await found.http.get(path, headers=wrong)).status_code == 401


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, b"hello")
        for name in (UNKNOWN_ID, "x", UNKNOWN_ID.upper(), "..%2f..%2fdb%2fCURRENT", "é" * 64):
            for suffix in ("", "/thumbnail", "/link"):
                error = await found.refused("ann", "GET", f"{PATH}/{name}{suffix}", 404)
                assert error["code"] == "not_found"
        await found.refused("ann", "GET", f"{PATH}/{told['id']}/thumbnail", 404)


@pytest.mark.parametrize(
    ("asked", "status", "said", "content"),
    [
        ("bytes=1-3", 206, "bytes 1-3/10", b"123"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=10-", 416, "bytes */10", b""),
    ],
)
async def test_parts_of_it(
    tmp_path: Path, asked: str, status: int, said: str, content: bytes
) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, b"0123456789")
        got = await fetch(found, told["url"], range=asked)
        assert (got.status_code, got.headers["content-range"]) == (status, said)
        assert got.content == content
        head = await found.http.head(told["url"], headers={"range": asked})
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers["content-length"] == str(len(content))


async def test_what_a_browser_has_is_not_sent_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, b"0123456789")
        etag = (await fetch(found, told["url"])).headers["etag"]
        got = await found.http.get(told["url"], headers={"if-none-match": etag})
        assert (got.status_code, got.content) == (304, b"")
        headers = {"if-range": etag, "range": "bytes=5-"}
        assert (await found.http.get(told["url"], headers=headers)).content == b"56789"
        headers["if-range"] = '"another"'
        assert (await found.http.get(told["url"], headers=headers)).content == b"0123456789"


SCRIPTED = {
    "a page": PAGE,
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a page behind a picture's first bytes": b"GIF89a\x01\x00\x01\x00" + PAGE,
    "a page behind a whole picture": picture("GIF") + PAGE,
    "a PDF": b"%PDF-1.7\n\x00\xff",
}


@pytest.mark.parametrize("data", SCRIPTED.values(), ids=SCRIPTED)
async def test_nothing_is_ever_run(tmp_path: Path, data: bytes) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, data)
        for headers in ({}, {"range": "bytes=1-"}, {"range": "bytes=9999-"}):
            got = await found.http.get(told["url"], headers=headers)
            for name, value in GUARDS.items():
                assert got.headers[name] == value
        got = await found.http.get(told["url"])
        assert got.content == data
        # What is shown in a page is a picture whose bytes nobody may take for anything else.
        is_picture = told["mime"] == "image/gif" and told["thumbnail_url"] is not None
        assert got.headers["content-disposition"].startswith(
            "inline" if is_picture else "attachment"
        )
        assert "html" not in got.headers["content-type"]
        assert "svg" not in got.headers["content-type"]


@pytest.mark.parametrize(
    ("settings", "data", "status", "code"),
    [
        ({"max_bytes": 1024}, bytes(1025), 413, "too_large"),
        ({"pixels": 100}, picture(size=(20, 20)), 413, "too_large"),
        ({"types": "image/*"}, b"words", 415, "unsupported"),
        ({}, b"", 400, "bad_request"),
        ({"total": 10}, bytes(11), 503, "unavailable"),
    ],
)
async def test_what_is_not_taken(
    tmp_path: Path, settings: dict[str, Any], data: bytes, status: int, code: str
) -> None:
    async with opened(tmp_path, **settings) as found:
        error = await found.refused("ann", "POST", PATH, status, content=data)
        assert error["code"] == code
        folder = found.node.media.folder
        assert [path for path in folder.rglob("*") if path.is_file()] == []


async def test_a_form_that_is_too_large_is_refused_while_it_comes(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=1024) as found:
        files = {"file": ("a", bytes(5000))}
        error = await found.refused("ann", "POST", PATH, 413, files=files)
        assert error["code"] == "too_large"


async def test_too_often_says_when_to_come_again(tmp_path: Path) -> None:
    async with opened(tmp_path, uploads_per_minute=1) as found:
        for _ in range(2):
            await upload(found, b"hello")
        answer = await found.call("ann", "POST", PATH, content=b"hello")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_bytes_that_got_lost_are_told_as_what_they_are(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, b"hello")
        await found.node.media.blobs.remove(told["id"])
        assert (await fetch(found, told["url"])).status_code == 404


async def test_what_comes_inside_of_a_message_goes_the_same_way(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        body = {"sourceID": "ann", "targetID": "bob"}
        encoded = base64.b64encode(picture()).decode()
        found.node.gateway.start()
        await found.post("ann", "/api/v1/rtm.send", encodedMedia=encoded, **body)
        query = {"sourceID": "bob", "targetID": "ann"}
        (message,) = (await found.get("bob", "/api/v1/rtm.receive", **query))["messages"]
        got = await fetch(found, message["mediaURL"])
        assert (got.content, got.headers["content-type"]) == (picture(), "image/png")
        wrong = base64.b64encode(b"").decode()
        await found.refused(
            "ann", "POST", "/api/v1/rtm.send", 400, json={**body, "encodedMedia": wrong}
        )


async def test_a_message_names_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        told = await upload(found, b"hello")
        send = {"to": "user:bob", "text": "look"}
        key = "01JD8ZK3V6P0Q2R4S6T8V0X2Z"
        sent = await found.does("ann", "send", **send, key=key + "1", media=[told["id"]])
        assert sent["n"] == 1
        with pytest.raises(ApiError, match="not_found"):
            await found.does("ann", "send", **send, key=key + "2", media=[UNKNOWN_ID])
