"""The socket in the data directory."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from hivewire.control import NAME, Control, NoNode, ask

if TYPE_CHECKING:
    from pathlib import Path


async def obey(word: str) -> tuple[bool, str]:
    await asyncio.sleep(0)
    return word == "dance", f"{word}: ü"


@pytest.mark.parametrize(("word", "ok"), [("dance", True), ("sing", False)])
async def test_a_word_is_carried_out_and_answered(tmp_path: Path, word: str, *, ok: bool) -> None:
    control = Control(tmp_path, obey)
    await control.start()
    assert await asyncio.to_thread(ask, tmp_path, word) == (ok, f"{word}: ü")
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    await control.stop()
    with pytest.raises(NoNode, match="no node runs"):
        ask(tmp_path, word)


async def test_what_a_killed_process_left_is_replaced_and_long_paths_work(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    first = Control(deep, obey)
    await first.start()
    with pytest.raises(NoNode):
        ask(tmp_path, "dance")
    second = Control(deep, obey)
    await second.start()
    assert (await asyncio.to_thread(ask, deep, "dance"))[0]
    await second.stop()
    await first.stop()


async def test_who_says_nothing_or_too_much_harms_nobody(tmp_path: Path) -> None:
    control = Control(tmp_path, obey)
    await control.start()
    _, silent = await asyncio.open_unix_connection(tmp_path / NAME)
    reader, loud = await asyncio.open_unix_connection(tmp_path / NAME)
    loud.write(b"x" * 200_000)
    assert await reader.read() == b""
    assert (await asyncio.to_thread(ask, tmp_path, "dance"))[0]
    for writer in (silent, loud):
        writer.close()
    await control.stop()


async def test_a_node_that_ends_before_it_answers_is_no_success(tmp_path: Path) -> None:
    async def fails(word: str) -> tuple[bool, str]:
        raise OSError(word)

    control = Control(tmp_path, fails)
    await control.start()
    with pytest.raises(NoNode, match="before it answered"):
        await asyncio.to_thread(ask, tmp_path, "dance")
    await control.stop()
