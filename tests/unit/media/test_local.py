from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from hivewire.media.blobs import THUMBNAIL, BlobsBroken, Missing, folder_of
from hivewire.media.local import LocalBlobs
from hivewire.media.threads import InThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.unit
NAME = "0f" * 32


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    threads = InThread()
    yield threads
    threads.close()


async def made(folder: Path, in_thread: InThread) -> LocalBlobs:
    blobs = LocalBlobs(folder / "media", in_thread)
    await blobs.start()
    return blobs


async def keep(blobs: LocalBlobs, folder: Path, name: str, data: bytes) -> None:
    source = folder / "source"
    source.write_bytes(data)
    await blobs.keep(name, source)
    assert not source.exists()


async def test_what_is_kept_comes_back_in_parts(tmp_path: Path, in_thread: InThread) -> None:
    blobs = await made(tmp_path, in_thread)
    data = os.urandom(600_000)
    await keep(blobs, tmp_path, NAME, data)
    assert await blobs.has(NAME)
    assert await blobs.size(NAME) == len(data)
    for start, end in ((0, len(data)), (5, 6), (262_143, 262_146), (len(data), len(data))):
        assert b"".join([part async for part in blobs.read(NAME, start, end)]) == data[start:end]
    assert (tmp_path / "media" / folder_of(NAME) / NAME).read_bytes() == data
    assert (tmp_path / "media").stat().st_mode & 0o777 == 0o700


async def test_it_is_synced_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = await made(tmp_path, in_thread)
    target = tmp_path / "media" / folder_of(NAME) / NAME
    synced: list[tuple[bool, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), target.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    await keep(blobs, tmp_path, NAME, b"hello")
    assert synced == [(False, False), (True, True)]


async def test_what_is_not_there_is_missing(tmp_path: Path, in_thread: InThread) -> None:
    blobs = await made(tmp_path, in_thread)
    assert not await blobs.has(NAME)
    with pytest.raises(Missing):
        await blobs.size(NAME)
    with pytest.raises(Missing):
        await anext(blobs.read(NAME, 0, 1))
    await blobs.remove(NAME)


async def test_a_file_that_is_shorter_than_promised_breaks_off(
    tmp_path: Path, in_thread: InThread
) -> None:
    blobs = await made(tmp_path, in_thread)
    await keep(blobs, tmp_path, NAME, b"hello")
    with pytest.raises(BlobsBroken):
        _ = [part async for part in blobs.read(NAME, 0, 6)]


async def test_a_partition_is_listed_with_ages(tmp_path: Path, in_thread: InThread) -> None:
    blobs = await made(tmp_path, in_thread)
    for name in (NAME, NAME + THUMBNAIL):
        await keep(blobs, tmp_path, name, b"hello")
    listed = await blobs.listed(int(folder_of(NAME), 16))
    assert {one.name for one in listed} == {NAME, NAME + THUMBNAIL}
    assert all(0 <= one.age < 600 for one in listed)
    assert await blobs.listed(int(folder_of(NAME), 16) ^ 1) == []
    await blobs.remove(NAME)
    assert not await blobs.has(NAME)
    assert (blobs.free() or 0) > 0


async def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path, in_thread: InThread) -> None:
    (tmp_path / "media").write_text("a file")
    with pytest.raises(BlobsBroken):
        await made(tmp_path, in_thread)
    assert LocalBlobs(tmp_path / "nowhere", in_thread).free() == 0
