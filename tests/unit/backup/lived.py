"""A data directory on disk in which a little of everything was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.backup import Source
from hivewire.store.rocks import Rocks
from tests.unit.core.driver import Driver
from tests.unit.store.verify.life import life

if TYPE_CHECKING:
    from pathlib import Path

UPLOAD = b"\x89PNG, or so"


def lived(data: Path) -> Rocks:
    """The store, open, with a life in it and one upload beside it."""
    store = Rocks.open(data)
    life(Driver(store))  # type: ignore[arg-type]
    folder = data / "media" / "0a"
    folder.mkdir(parents=True)
    (folder / "picture").write_bytes(UPLOAD)
    (data / "media" / "incoming").mkdir()
    (data / "media" / "incoming" / "half").write_bytes(b"\x89P")
    return store


def source(store: Rocks, data: Path) -> Source:
    """All of it, to be backed up."""
    return Source(store, data, data / "media")
