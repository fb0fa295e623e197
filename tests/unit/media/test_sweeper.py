from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from hivewire.media import sweeper
from hivewire.media.blobs import THUMBNAIL, BlobsBroken, folder_of

from .room import Room, opened, picture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
DAY = 24 * 3_600_000
KEY = "01JD8ZK3V6P0Q2R4S6T8V0X2Z4"


async def swept(room: Room) -> int:
    before = room.media._sweeper.removed
    for partition in range(256):
        await room.media._sweeper.sweep(partition)
    return room.media._sweeper.removed - before


async def test_what_was_never_sent_goes_after_its_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        upload = await room.upload(picture())
        assert await swept(room) == 0
        room.clock.ms += DAY + 1
        assert await swept(room) == 1
        assert room.files() == set()
        assert await room.media.find(upload.id) is None


async def test_what_a_message_names_stays_until_it_is_recalled(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        uploads = [await room.upload(b"file %d" % number) for number in range(5)]
        ann = room.open("ann")
        named = uploads[2].id
        ann.says("send", to="user:bob", key=KEY, media=[named])
        room.settle()
        room.clock.ms += 2 * DAY
        assert await swept(room) == 4
        assert room.files() == {named}
        ann.says("recall", conv="direct:ann,bob", n=1, key=KEY + "2")
        room.settle()
        assert await swept(room) == 1
        assert room.files() == set()


async def test_bytes_that_a_crash_left_go_when_they_are_old(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        upload = await room.upload(b"hello")
        stray = "0f" * 32
        for name in (stray, stray + THUMBNAIL):
            (tmp_path / folder_of(name) / name).write_bytes(b"left")
        assert await swept(room) == 0
        old = sweeper.STRAY_SECONDS * 2
        for name in (stray, stray + THUMBNAIL, upload.id):
            path = tmp_path / folder_of(name) / name
            os.utime(path, (path.stat().st_mtime - old,) * 2)
        assert await swept(room) == 1
        assert room.files() == {upload.id}


async def test_nothing_goes_where_that_is_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path, unused=0) as room:
        await room.upload(b"hello")
        room.clock.ms += 1000 * DAY
        assert await swept(room) == 0


async def test_it_goes_round_by_itself_and_outlives_a_disk_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    done = asyncio.Event()

    async def listed(partition: int) -> list[object]:
        seen.append(partition)
        if len(seen) > 300:
            done.set()
        if partition == 7:
            raise BlobsBroken("no answer")
        return []

    async with opened(tmp_path, sweep="1s") as room:
        monkeypatch.setattr(room.media.blobs, "listed", listed)
        room.media._sweeper._pause = 0.0
        await done.wait()
        assert seen[:10] == list(range(10))
        assert seen[256] == 0
