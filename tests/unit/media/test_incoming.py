from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from hivewire.media import Incoming, Refused
from hivewire.media.kinds import HEAD_BYTES
from hivewire.media.threads import InThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.unit


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    threads = InThread()
    yield threads
    threads.close()


async def test_it_is_hashed_and_counted_as_it_comes(tmp_path: Path, in_thread: InThread) -> None:
    data = bytes(range(256)) * 4000
    incoming = Incoming(tmp_path, in_thread, 1 << 21)
    for start in range(0, len(data), 70_001):
        await incoming.write(data[start : start + 70_001])
    await incoming.close()
    assert incoming.path.read_bytes() == data
    assert (incoming.bytes, incoming.head) == (len(data), data[:HEAD_BYTES])
    assert incoming.id == hashlib.sha256(data).hexdigest()
    assert incoming.path.stat().st_mode & 0o777 == 0o600


async def test_memory_holds_a_chunk_at_most(tmp_path: Path, in_thread: InThread) -> None:
    incoming = Incoming(tmp_path, in_thread, 1 << 30)
    for _ in range(64):
        await incoming.write(bytes(65_536))
        assert len(incoming._waiting) < 256 * 1024
    await incoming.discard()


async def test_one_byte_too_many_is_refused_and_leaves_nothing(
    tmp_path: Path, in_thread: InThread
) -> None:
    incoming = Incoming(tmp_path, in_thread, 300_000)
    await incoming.write(bytes(300_000))
    with pytest.raises(Refused):
        await incoming.write(b"x")
    await incoming.discard()
    assert not incoming.path.exists()
    await incoming.discard()


async def test_an_empty_one_is_a_file_too(tmp_path: Path, in_thread: InThread) -> None:
    incoming = Incoming(tmp_path, in_thread, 10)
    await incoming.close()
    assert incoming.path.read_bytes() == b""
