"""Uploads in an S3-compatible store: `nanio`, which checks signatures, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from hivewire.config.media import Media
from hivewire.media.blobs import THUMBNAIL, BlobsBroken, Missing, folder_of
from hivewire.media.s3 import S3Blobs, connect
from hivewire.media.threads import InThread
from tests.e2e.files import PATH, upload
from tests.e2e.http.web import bearer, url
from tests.e2e.stranger import Stranger, key
from tests.unit.media.room import picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.node import Node

pytestmark = pytest.mark.integration
NAME = "0f" * 32
LARGE = 12 << 20
"""More than one part of a multipart upload."""


class Server:
    """An S3 server with one bucket, `chat`."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        (folder / "chat").mkdir()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "nanio.cli", "serve", "--host", "127.0.0.1"),
                *("--port", str(self.port), "--data-dir", str(self.folder)),
            ],
            env={**os.environ, "NANIO_ACCESS_KEY": "an-access-key", "NANIO_SECRET_KEY": "a" * 32},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                httpx.get(self.url)
                break
            except httpx.TransportError:
                assert self.process.poll() is None, "the S3 server has ended"
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def settings(self, **fields: object) -> dict[str, object]:
        return {
            "s3_bucket": "chat",
            "s3_endpoint": self.url,
            "s3_key": "an-access-key",
            "s3_secret": "a" * 32,
            **fields,
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    threads = InThread()
    yield threads
    threads.close()


async def test_small_and_large_ones_come_back_in_parts(
    server: Server, in_thread: InThread, tmp_path: Path
) -> None:
    blobs = S3Blobs(connect(Media(**server.settings(s3_prefix="files/"))), in_thread)  # type: ignore[arg-type]
    await blobs.start()
    partition = int(folder_of(NAME), 16)
    assert await blobs.listed(partition) == []
    for name, size in ((NAME, LARGE), (NAME + THUMBNAIL, 1000)):
        data = os.urandom(size)
        (tmp_path / "source").write_bytes(data)
        await blobs.keep(name, tmp_path / "source")
        assert await blobs.has(name)
        assert await blobs.size(name) == size
        for start, end in ((0, size), (500, 501), (size - 3, size)):
            parts = [part async for part in blobs.read(name, start, end)]
            assert b"".join(parts) == data[start:end]
    listed = await blobs.listed(partition)
    assert {one.name for one in listed} == {NAME, NAME + THUMBNAIL}
    assert all(-60 < one.age < 600 for one in listed)
    await blobs.remove(NAME)
    await blobs.remove(NAME)
    assert not await blobs.has(NAME)
    with pytest.raises(Missing):
        await anext(blobs.read(NAME, 0, 1))


async def test_a_wrong_key_is_told_at_the_start(server: Server, in_thread: InThread) -> None:
    wrong = connect(Media(**server.settings(s3_secret="b" * 32)))  # type: ignore[arg-type]
    with pytest.raises(BlobsBroken):
        await S3Blobs(wrong, in_thread).start()


async def test_a_node_keeps_its_uploads_there(
    server: Server, start_node: Callable[..., Node], name: Callable[[str], str]
) -> None:
    settings = server.settings(s3_prefix="node/").items()
    node = start_node(env={f"HIVEWIRE_MEDIA__{key}".upper(): str(value) for key, value in settings})
    data, ann = os.urandom(LARGE), name("ann")
    told = await upload(node, ann, data)
    await upload(node, ann, picture())
    assert not [path for path in (node.data / "media").rglob("*") if path.is_file()]
    await asyncio.to_thread(node.kill9)
    await asyncio.to_thread(node.restart)
    async with httpx.AsyncClient(base_url=url(node), trust_env=False, timeout=60) as http:
        assert (await http.get(told["url"])).content == data
        part = await http.get(told["url"], headers={"Range": f"bytes={LARGE - 5}-"})
        assert (part.status_code, part.content) == (206, data[-5:])
        server.stop()
        away = await http.get(told["url"])
        assert (away.status_code, away.json()["error"]["retryable"]) == (503, True)
        refused = await http.post(PATH, content=b"hello", headers=bearer(ann))
        assert refused.status_code == 503
        assert (await http.get("/health/ready")).status_code == 200
        server.start()
        assert (await http.get(told["url"])).content == data
    line = await Stranger.join(node, ann)
    await line.send(f"user:{name('bob')}", "look", key(), media=[told["id"]])
    node.assert_calm()
