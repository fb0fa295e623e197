"""Files in messages, through sockets: large ones, broken ones, and what a kill leaves."""

from __future__ import annotations

import asyncio
import io
import os
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

from tests.e2e.files import PATH, upload
from tests.e2e.http.web import Web, answer, bearer, url
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_reload import Place
from tests.unit.media.room import picture

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from pathlib import Path

    from tests.node import Node

    Name = Callable[[str], str]

MIB = 1 << 20


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    place.node.start()
    yield place
    place.node.stop()


def files(node: Node) -> list[Path]:
    return [path for path in (node.data / "media").rglob("*") if path.is_file()]


async def until(comes: Callable[[], bool]) -> None:
    """Wait until it has come, on disk."""
    async with asyncio.timeout(20):
        while not comes():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_m4_a_picture_goes_from_one_to_the_other(node: Node, name: Name) -> None:
    file = io.BytesIO()
    Image.effect_noise((900, 600), 50).save(file, "PNG")
    noise = file.getvalue()
    ann = await Stranger.join(node, name("ann"))
    bob = await Stranger.join(node, name("bob"))
    async with Web.of(node, ann.user) as web:
        form = {"file": ("holiday.png", noise, "image/png")}
        told = answer(await web.http.post(PATH, files=form))
    assert (told["mime"], told["width"], told["height"]) == ("image/png", 900, 600)
    await ann.send(f"user:{bob.user}", "look", key(), media=[told["id"]])
    event = await bob.push("event")
    assert event["media"] == [told["id"]]
    async with Web.of(node, bob.user) as web:
        links = await web.get(f"{PATH}/{event['media'][0]}/link")
    async with httpx.AsyncClient(base_url=url(node), trust_env=False) as browser:
        assert (await browser.get(links["url"])).content == noise
        part = await browser.get(links["url"], headers={"Range": "bytes=100-299"})
        assert (part.status_code, part.content) == (206, noise[100:300])
        with Image.open(io.BytesIO((await browser.get(links["thumbnail_url"])).content)) as small:
            assert small.size == (320, 213)


async def test_m4_a_message_names_only_what_was_uploaded(
    node: Node, name: Name, encoding: str
) -> None:
    ann = await Stranger.join(node, name("ann"), encoding=encoding)
    error = await ann.refused(
        "send", to=f"user:{name('bob')}", key=(same := key()), media=["0f" * 32]
    )
    assert (error["code"], error["field"]) == ("not_found", "media")
    told = await upload(node, ann.user, b"now it is there")
    sent = await ann.call("send", to=f"user:{name('bob')}", key=same, media=[told["id"]])
    assert sent["dup"] is False, "what was refused has not used the key"


async def test_m4_i1_what_an_upload_answered_is_there_after_a_kill(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    data = os.urandom(3 * MIB)
    ann = await Stranger.join(node, name("ann"))
    told = await upload(node, ann.user, data)
    await ann.send(f"user:{name('bob')}", "look", key(), media=[told["id"]])
    await asyncio.to_thread(node.kill9)
    await asyncio.to_thread(node.restart)
    async with httpx.AsyncClient(base_url=url(node), trust_env=False) as browser:
        got = await browser.get(told["url"])
        assert got.content == data, "a link outlives the process too"
    ann = await Stranger.join(node, ann.user)
    await ann.send(f"user:{name('bob')}", "again", key(), media=[told["id"]])


@pytest.mark.parametrize("end", ["the client", "the node"])
async def test_m4_an_upload_that_is_cut_leaves_nothing(
    start_node: Callable[..., Node], name: Name, end: str
) -> None:
    node = start_node()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * MIB}\r\n"
        f"Authorization: {bearer(name('ann'))['Authorization']}\r\n\r\n"
    )
    with socket.create_connection(node.api) as line:
        line.sendall(head.encode() + os.urandom(MIB))
        await until(lambda: any(path.stat().st_size for path in files(node)))
        if end == "the node":
            await asyncio.to_thread(node.kill9)
            assert files(node)
            await asyncio.to_thread(node.restart)
    await until(lambda: not files(node))
    assert (await upload(node, name("ann"), b"hello"))["bytes"] == 5


async def test_m4_a_hundred_megabytes_are_refused_while_they_come(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_MEDIA__MAX_BYTES": "8MiB"})
    before = node.resident_bytes()
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += MIB
            yield bytes(MIB)

    async with Web.of(node, name("ann")) as web:
        response = await web.http.post(PATH, content=endless())
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "too_large"
        known = await web.http.post(PATH, content=bytes(9 * MIB))
        assert known.status_code == 413
    assert files(node) == []
    assert node.resident_bytes() - before < 40 * MIB, "it was never in memory as a whole"
    node.assert_calm()


async def test_a_large_file_goes_through_a_small_node(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    data = os.urandom(45 * MIB)
    before = node.resident_bytes()
    told = await upload(node, name("ann"), data)
    async with httpx.AsyncClient(base_url=url(node), trust_env=False, timeout=60) as browser:
        assert (await browser.get(told["url"])).content == data
    assert node.resident_bytes() - before < 30 * MIB


async def test_m4_a_reload_keeps_uploads_and_links(place: Place, name: Name) -> None:
    node, ann = place.node, name("ann")
    told = await upload(node, ann, b"before")
    with socket.create_connection(node.api) as line:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * MIB}\r\n"
        line.sendall(f"{head}Authorization: {bearer(ann)['Authorization']}\r\n\r\n".encode())
        line.sendall(os.urandom(MIB))
        await until(lambda: len(files(node)) == 2)
        assert (await place.reload()).returncode == 0
    await until(lambda: len(files(node)) == 1)
    async with httpx.AsyncClient(base_url=url(node), trust_env=False) as browser:
        assert (await browser.get(told["url"])).content == b"before"
    again = await upload(node, ann, b"before")
    assert again["id"] == told["id"]
    told = await upload(node, ann, picture())
    assert told["width"] == 64
    bob = await Stranger.join(node, ann)
    await bob.send(f"user:{name('bob')}", "look", key(), media=[told["id"], again["id"]])
    node.assert_calm()
