"""Uploads from the first byte to the last link, on real files."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.core.media import find_upload
from hivewire.media import Refused
from hivewire.media.blobs import THUMBNAIL, BlobsBroken

from .room import Room, opened, picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.unit


async def refused(folder: Path, data: bytes, **settings: Any) -> Refused:
    async with opened(folder, **settings) as room:
        with pytest.raises(Refused) as failed:
            await room.upload(data)
        assert room.files() == set(), "nothing is left of it"
        assert room.media.figures()["refused_total"] == 1
        return failed.value


async def until(comes: Callable[[], bool]) -> None:
    """Let threads and everybody else go on until it has come."""
    while not comes():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)


async def test_a_picture_is_measured_and_comes_back_as_it_was(tmp_path: Path) -> None:
    data = picture(size=(640, 480))
    async with opened(tmp_path) as room:
        upload = await room.upload(data)
        assert upload.id == hashlib.sha256(data).hexdigest()
        assert (upload.mime, upload.bytes, upload.user) == ("image/png", len(data), "ann")
        assert (upload.width, upload.height, upload.thumbnail) == (640, 480, True)
        assert await room.bytes_of(upload.id) == data
        small = await room.bytes_of(upload.id + THUMBNAIL)
        assert (small[:4], small[8:12]) == (b"RIFF", b"WEBP")
        assert await room.media.find(upload.id) == upload
        assert room.files() == {upload.id, upload.id + THUMBNAIL}
        assert room.media.figures()["bytes"] == len(data)


async def test_any_other_file_is_kept_as_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        upload = await room.upload(bytes(range(200, 255)))
        assert (upload.mime, upload.width, upload.thumbnail) == (
            "application/octet-stream",
            None,
            False,
        )
        assert room.files() == {upload.id}


async def test_what_only_looks_like_a_picture_is_kept_as_a_plain_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        upload = await room.upload(picture()[:60])
        assert (upload.mime, upload.thumbnail) == ("application/octet-stream", False)


async def test_I1_it_is_answered_when_its_row_is_durable(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        room.slow = True
        task = asyncio.create_task(room.upload(b"hello"))
        media = hashlib.sha256(b"hello").hexdigest()

        def look() -> bool:
            # What it has read so far may be synced, but for the row itself.
            if find_upload(media, room.view) is None:
                room.settle()
            return find_upload(media, room.view) is not None

        await until(look)
        assert not task.done()
        assert await room.media.blobs.has(media), "the bytes come first"
        room.slow = False
        room.settle()
        assert (await task).id == media


async def test_the_same_bytes_lie_there_once_and_belong_to_whoever_knows_them(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as room:
        first = await room.upload(picture())
        room.clock.ms += 1000
        second = await room.upload(picture(), "bob")
        assert second.id == first.id
        assert (second.user, second.ts) == ("bob", first.ts + 1000)
        assert room.media.figures()["bytes"] == first.bytes
        assert len(room.files()) == 2


async def test_bytes_that_got_lost_are_made_good_by_the_next_upload(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        upload = await room.upload(picture())
        await room.media.blobs.remove(upload.id + THUMBNAIL)
        await room.upload(picture())
        assert room.files() == {upload.id, upload.id + THUMBNAIL}


async def test_too_large_is_seen_before_and_while_it_comes(tmp_path: Path) -> None:
    error = await refused(tmp_path / "a", bytes(2000), max_bytes=1024)
    assert (error.status, error.code, error.retryable) == (413, "too_large", False)
    async with opened(tmp_path / "b", max_bytes=1024) as room:
        incoming = room.media.begin("ann")
        await incoming.write(bytes(1024))
        with pytest.raises(Refused):
            await incoming.write(b"x")
        await room.media.abandon(incoming)
        assert room.files() == set()


@pytest.mark.parametrize(
    ("data", "settings", "status"),
    [
        (b"", {}, 400),
        (b"plain text", {"types": "image/*"}, 415),
        (b"hello", {"total": 4}, 503),
        (b"hello", {"keep_free": "100000GiB"}, 503),
    ],
)
async def test_what_is_not_taken(
    tmp_path: Path, data: bytes, settings: dict[str, Any], status: int
) -> None:
    assert (await refused(tmp_path, data, **settings)).status == status


async def test_a_picture_with_too_many_pixels_is_refused(tmp_path: Path) -> None:
    error = await refused(tmp_path, picture(size=(300, 300)), pixels=80_000)
    assert (error.status, error.code) == (413, "too_large")
    assert "pixels" in error.message


async def test_only_so_many_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path, concurrency=1) as room:
        incoming = room.media.begin("ann")
        with pytest.raises(Refused) as failed:
            room.media.begin("bob")
        assert (failed.value.status, failed.value.retryable) == (503, True)
        await room.media.abandon(incoming)
        await room.upload(b"hello")


async def test_only_so_many_a_minute(tmp_path: Path) -> None:
    async with opened(tmp_path, uploads_per_minute=1) as room:
        for data in (b"one", b"two"):
            await room.upload(data)
        with pytest.raises(Refused) as failed:
            await room.upload(b"three")
        assert (failed.value.status, failed.value.code) == (429, "rate_limited")
        assert 1 <= (failed.value.retry_after or 0) <= 60
        await room.upload(b"three", "bob")


async def test_what_was_on_its_way_at_a_crash_is_gone_after_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        incoming = room.media.begin("ann")
        await incoming.write(bytes(300_000))
        assert len(room.files()) == 1
    async with opened(tmp_path) as room:
        assert room.files() == set()


async def test_what_nothing_names_goes_and_its_bytes_after_its_row(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        upload = await room.upload(picture())
        assert not await room.media.drop_unused(upload.id, upload.ts)
        assert await room.media.drop_unused(upload.id, upload.ts + 1)
        assert room.files() == set()
        assert await room.media.find(upload.id) is None
        assert room.media.figures()["bytes"] == 0
        assert not await room.media.drop_unused(upload.id, upload.ts + 1)


async def test_bytes_with_a_row_are_no_strays(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        upload = await room.upload(b"hello")
        assert not await room.media.drop_stray(upload.id)
        assert room.files() == {upload.id}


async def test_a_node_that_goes_down_leaves_it_unknown(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        room.slow = True
        task = asyncio.create_task(room.upload(b"hello"))
        await until(lambda: bool(room.media._waiting))
        await room.media.stop()
        with pytest.raises(Refused) as failed:
            await task
        assert failed.value.status == 503
        with pytest.raises(Refused):
            room.media.begin("ann")


async def test_what_takes_too_long_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, upload_time="1s") as room:
        incoming = room.media.begin("ann")
        with pytest.raises(Refused) as failed:
            async with room.media.in_time():
                await asyncio.Event().wait()
        assert (failed.value.status, failed.value.retryable) == (408, False)
        await room.media.abandon(incoming)


async def test_a_node_that_goes_down_waits_for_no_slow_upload(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        incoming, reading = room.media.begin("ann"), asyncio.Event()

        async def read() -> None:
            async with room.media.in_time():
                reading.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(read())
        await reading.wait()
        await room.media.stop()
        with pytest.raises(Refused) as failed:
            await task
        assert (failed.value.status, failed.value.retryable) == (503, True)
        await room.media.abandon(incoming)


async def test_who_goes_on_for_another_node_does_so_without_uploads_if_need_be(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("no folder")
    room = Room(tmp_path / "file")
    with pytest.raises(BlobsBroken):
        await room.media.start()
    await room.media.take_over()
    with pytest.raises(Refused) as failed:
        await room.upload(b"hello")
    assert failed.value.status == 503
    await room.media.stop()
    room.media.close()
