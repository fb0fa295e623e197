"""What a node stands on, new or taken over."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from hivewire.auth import KeyProblem, KeyWanted, Refused, mint_token
from hivewire.config import load
from hivewire.foundation import adopted, founded, open_store, verifier_for
from hivewire.hooks import App, Credentials
from hivewire.metrics import Metrics
from hivewire.store import DataDirectoryHeld
from tests.issuer import Issuer

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


def test_without_a_key_only_one_that_authenticates_is_served(tmp_path: Path) -> None:
    keyless = load(auth={"secret": None}, store={"path": tmp_path})
    mine = load(auth={"secret": "0123456789abcdef0123456789abcdef"}).auth
    application = App()
    for missing in (None, application):
        with pytest.raises(KeyProblem):
            verifier_for(keyless, missing)

    @application.authenticate
    async def nobody(_: Credentials) -> None: ...

    verifier = verifier_for(keyless, application)
    with pytest.raises(Refused):
        verifier.verify(mint_token(mine, "ann"), int(time.time()))


def test_published_keys_need_no_other(tmp_path: Path) -> None:
    urls = ("https://login.example/keys",)
    published = load(auth={"algorithm": "ES256"}, jwks={"urls": urls}, store={"path": tmp_path})
    with pytest.raises(KeyWanted):
        verifier_for(published, None).verify(Issuer().token("ann"), int(time.time()))
