"""Backups beside a node that runs: one at a time, and none holds up its end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from hivewire.backup import Backups, Record, running, source_of
from hivewire.config import load

from .lived import lived, source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_it_says_what_it_made_or_why_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with contextlib.closing(lived(data)) as store:
        backups = Backups(lambda: source(store, data))
        done, text = await backups.make(str(tmp_path / "backup"))
        assert done
        assert str(tmp_path / "backup") in text
        assert str(Record.read(tmp_path / "backup").bytes) in text
        done, text = await backups.make(str(tmp_path / "backup"))
        assert not done
        assert "is there already" in text
        assert not (await backups.make("relative"))[0]


async def test_one_at_a_time_and_none_when_the_node_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slow(_source: object, _to: Path, is_called_off: Callable[[], bool]) -> Record:
        begun.set()
        while not is_called_off():
            pass
        raise running.BackupError("called off")

    monkeypatch.setattr(running, "make_backup", slow)
    backups = Backups(lambda: source(None, tmp_path))  # type: ignore[arg-type]
    first = asyncio.create_task(backups.make(str(tmp_path / "one")))
    await asyncio.to_thread(begun.wait)
    assert await backups.make(str(tmp_path / "two")) == (False, "another backup is under way")
    await backups.stop()
    assert await first == (False, "called off")
    assert await backups.make(str(tmp_path / "three")) == (False, "the node ends")


@pytest.mark.parametrize(
    ("media", "folder"),
    [({}, "/data/media"), ({"path": "/files"}, "/files"), ({"s3_bucket": "files"}, None)],
)
def test_uploads_are_taken_from_where_they_lie(media: dict[str, str], folder: str | None) -> None:
    settings = load(None, store={"path": "/data"}, media=media)
    found = source_of(None, settings)  # type: ignore[arg-type]
    assert (None if found.media is None else str(found.media)) == folder
    assert str(found.data) == "/data"
