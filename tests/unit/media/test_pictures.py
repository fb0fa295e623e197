"""The process beside the node, with pictures that are meant to hurt."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from hivewire.config.media import Media
from hivewire.media.pictures import Pictures
from hivewire.media.refusals import Refused

from .room import picture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred kilobytes that unpacks to `width` by `height` black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    # A megabyte of zeros, packed once and told again and again.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    count = -(-(1 + 3 * width) * height // (1 << 20))
    checksum = struct.pack(">HH", (count << 20) % 65521, 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", header),
            chunk(b"IDAT", b"\x78\x9c" + block * count + b"\x03\x00" + checksum),
            chunk(b"IEND", b""),
        )
    )


def written(folder: Path, data: bytes) -> tuple[Path, str, Path]:
    (folder / "source").write_bytes(data)
    return folder / "source", "PNG", folder / "small"


async def test_one_process_looks_at_picture_after_picture(tmp_path: Path) -> None:
    pictures = Pictures(Media())
    assert await pictures.look(*written(tmp_path, picture(size=(30, 20)))) == (30, 20)
    process = pictures._process
    assert await pictures.look(*written(tmp_path, picture(size=(31, 20)))) == (31, 20)
    assert await pictures.look(*written(tmp_path, b"no picture")) is None
    assert pictures._process is process
    assert (pictures.failed, pictures.killed) == (1, 0)
    await pictures.stop()


async def test_it_is_started_again_when_it_has_ended(tmp_path: Path) -> None:
    pictures = Pictures(Media())
    await pictures.look(*written(tmp_path, picture()))
    assert pictures._process is not None
    pictures._process.kill()
    await pictures._process.wait()
    assert await pictures.look(*written(tmp_path, picture(size=(30, 20)))) == (30, 20)
    assert (pictures.failed, pictures.killed) == (0, 0)
    await pictures.stop()


async def test_a_bomb_that_says_so_is_refused_unopened(tmp_path: Path) -> None:
    pictures = Pictures(Media())
    with pytest.raises(Refused):
        await pictures.look(*written(tmp_path, bomb(10_000, 10_000)))
    assert not (tmp_path / "small").exists()
    await pictures.stop()


async def test_a_picture_that_takes_too_much_memory_hurts_only_the_process(
    tmp_path: Path,
) -> None:
    # The limit on pixels is off: memory alone holds it.
    pictures = Pictures(Media(pixels=10**9, picture_memory="128MiB"))
    assert await pictures.look(*written(tmp_path, bomb(10_000, 10_000))) is None
    assert pictures.failed == 1
    assert await pictures.look(*written(tmp_path, picture(size=(30, 20)))) == (30, 20)
    await pictures.stop()


async def test_a_picture_that_takes_too_long_ends_the_process(tmp_path: Path) -> None:
    pictures = Pictures(Media(picture_time="100ms", pixels=10**9, picture_memory="4GiB"))
    # Whether it is started or unpacks at that moment: 100 ms are too short for either.
    assert await pictures.look(*written(tmp_path, bomb(10_000, 10_000))) is None
    assert (pictures.failed, pictures.killed) == (1, 1)
    assert pictures._process is None
