"""Blobs in obstore's own stores; a real server has its turn in `tests/integration`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from obstore.store import LocalStore, MemoryStore

from hivewire.config.media import Media
from hivewire.media.blobs import THUMBNAIL, BlobsBroken, Missing, folder_of
from hivewire.media.s3 import S3Blobs, connect
from hivewire.media.threads import InThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from obstore.store import ObjectStore

pytestmark = pytest.mark.unit
NAME = "0f" * 32


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    threads = InThread()
    yield threads
    threads.close()


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path)


async def test_what_is_kept_comes_back_in_parts(
    store: ObjectStore, in_thread: InThread, tmp_path: Path
) -> None:
    blobs = S3Blobs(store, in_thread)
    await blobs.start()
    data = os.urandom(600_000)
    (tmp_path / "source").write_bytes(data)
    await blobs.keep(NAME, tmp_path / "source")
    assert not (tmp_path / "source").exists()
    assert await blobs.has(NAME)
    assert await blobs.size(NAME) == len(data)
    for start, end in ((0, len(data)), (5, 6), (262_143, 262_146), (7, 7)):
        assert b"".join([part async for part in blobs.read(NAME, start, end)]) == data[start:end]
    assert blobs.free() is None


async def test_a_partition_is_listed_and_objects_go(
    store: ObjectStore, in_thread: InThread, tmp_path: Path
) -> None:
    blobs = S3Blobs(store, in_thread)
    for name in (NAME, NAME + THUMBNAIL):
        (tmp_path / "source").write_bytes(b"hello")
        await blobs.keep(name, tmp_path / "source")
    partition = int(folder_of(NAME), 16)
    assert {one.name for one in await blobs.listed(partition)} == {NAME, NAME + THUMBNAIL}
    assert await blobs.listed(partition ^ 1) == []
    await blobs.remove(NAME)
    await blobs.remove(NAME)
    assert not await blobs.has(NAME)
    with pytest.raises(Missing):
        await blobs.size(NAME)
    with pytest.raises(Missing):
        await anext(blobs.read(NAME, 0, 1))


def test_the_settings_name_a_bucket() -> None:
    settings = Media(
        s3_bucket="chat",
        s3_prefix="files/",
        s3_endpoint="http://127.0.0.1:1",
        s3_key="id",
        s3_secret="secret",  # type: ignore[arg-type] - pydantic makes it one
    )
    store = connect(settings)
    assert store.config["bucket"] == "chat"  # type: ignore[union-attr]
    assert store.prefix == "files"  # type: ignore[union-attr]
    assert "'secret'" not in repr(settings)


def test_half_a_key_is_an_error_of_one_line() -> None:
    with pytest.raises(BlobsBroken, match=r"media\.s3_bucket") as failed:
        connect(Media(s3_bucket="chat", s3_key="a"))
    assert "\n" not in str(failed.value)


async def test_a_server_that_is_not_there_is_told_at_the_start(
    in_thread: InThread,
) -> None:
    settings = Media(
        s3_bucket="chat",
        s3_endpoint="http://127.0.0.1:1",
        s3_key="a",
        s3_secret="b",  # type: ignore[arg-type] - pydantic makes it one
    )
    with pytest.raises(BlobsBroken):
        await S3Blobs(connect(settings), in_thread).start()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(BlobsBroken, match=r"hivewire\[s3\]"):
        connect(Media(s3_bucket="chat"))
