"""What a node stands on, new or taken over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from hivewire.config import load
from hivewire.foundation import adopted, founded, open_store
from hivewire.metrics import Metrics
from hivewire.store import DataDirectoryHeld

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_a_data_directory_carries_one_node(tmp_path: Path) -> None:
    settings = load(edge={"address": "127.0.0.1:0", "shards": 1}, store={"path": tmp_path / "data"})
    metrics, store, engine = founded(settings)
    assert (metrics.commits, engine.connections()) == (0, 0)
    with pytest.raises(DataDirectoryHeld):
        open_store(settings)
    left = SimpleNamespace(metrics=metrics, store=store, engine=engine)
    same, again, kept = adopted(cast("Any", left))
    assert (same, kept) == (metrics, engine)
    assert again.epoch == store.epoch
    # Of another version of the code: what it counted cannot be gone on with.
    left.metrics = object()
    assert isinstance(adopted(cast("Any", left))[0], Metrics)
    engine.stop()
    store.close()
