"""The process around a node. Reloads of running nodes are in tests/e2e/test_reload.py."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import TYPE_CHECKING

import pytest
import structlog

from hivewire import supervisor
from hivewire.api import Api
from hivewire.app import FATAL_STATUS, Node
from hivewire.auth.fetcher import PublishedKeys
from hivewire.control import NAME
from hivewire.gateway import Gateway
from hivewire.launch import Launch
from hivewire.supervisor import NotReloaded, Supervisor
from tests.unit.test_app import settings

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from hivewire.handover import Handover


def supervised(tmp_path: Path) -> Supervisor:
    config = tmp_path / "settings.toml"
    config.write_text("[auth]\nsecret = '0123456789abcdef0123456789abcdef'")
    return Supervisor(Node(settings(tmp_path)), Launch(config=config))


async def test_a_reload_puts_a_new_node_over_the_same_engine(tmp_path: Path) -> None:
    held = supervised(tmp_path)
    edge, api = await held.start()
    old = held.node
    assert (await held.reload()).startswith("reloaded in ")
    new = held.node
    assert new is not old
    assert (new.engine, new.metrics) == (old.engine, old.metrics)
    assert (new.view is old.view, new.gateway is old.gateway) == (False, False)
    assert old.journal.dead
    assert not new.journal.dead
    for address in (edge, api):
        host, _, port = address.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
    assert await held.drain() == 0
    assert not (old.settings.store.path / NAME).exists()


async def test_settings_that_cannot_be_read_leave_the_node_as_it_is(tmp_path: Path) -> None:
    held = supervised(tmp_path)
    await held.start()
    node = held.node
    (tmp_path / "settings.toml").write_text("[limits]\ndevises = 1")
    with structlog.testing.capture_logs() as logs, pytest.raises(NotReloaded, match="devises"):
        await held.reload()
    assert [line["event"] for line in logs] == ["not reloaded: the node goes on as it was"]
    assert held.node is node
    assert await held._obey("dance") == (False, "the node knows no 'dance'")
    assert await held._obey("why direct:a,b 1") == (False, "there is no such conversation")
    assert (await held._obey("reload"))[0] is False
    await held.drain()


async def test_a_node_that_cannot_be_made_is_one_of_the_old_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = supervised(tmp_path)
    await held.start()
    old, made = held.node, Node.__init__
    tries: list[object] = []

    def fails_once(self: Node, *arguments: object) -> None:
        tries.append(arguments)
        if len(tries) == 1:
            raise OSError("no")
        made(self, *arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Node, "__init__", fails_once)
    with pytest.raises(NotReloaded, match="OSError: no"):
        await held.reload()
    assert held.node is not old
    assert held.node.settings is old.settings
    assert await held.drain() == 0


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With which status the process has ended; that raises EOFError."""
    found: list[int] = []

    def end(status: int) -> None:
        found.append(status)
        raise EOFError

    monkeypatch.setattr(os, "_exit", end)
    return found


async def test_I1_a_node_that_fails_while_it_takes_over_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: list[int]
) -> None:
    held = supervised(tmp_path)
    await held.start()

    async def fails(_self: Node, left: Handover) -> None:
        left.listener.close()
        raise OSError("no")

    monkeypatch.setattr(Node, "take_over", fails)
    with pytest.raises(EOFError):
        await held.reload()
    assert ended == [FATAL_STATUS]
    await held._control.stop()
    await held.node.stop()


async def test_I1_a_node_that_fails_while_it_hands_over_ends_the_process(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ended: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else it would go on for ever and serve nobody."""
    held = supervised(tmp_path)
    await held.start()
    listeners: list[socket.socket] = []
    share = Api.share

    def shared(self: Api) -> socket.socket:
        listeners.append(share(self))
        return listeners[0]

    def fails(_self: Gateway) -> None:
        raise OSError("no")

    monkeypatch.setattr(Api, "share", shared)
    monkeypatch.setattr(Gateway, "hand_over", fails)
    with pytest.raises(EOFError):
        await held.reload()
    assert ended == [FATAL_STATUS]
    assert "the node failed while it handed over" in capsys.readouterr().err
    listeners[0].close()
    await held._control.stop()
    await held.node.stop()


async def test_a_part_that_does_not_end_in_order_stops_no_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = supervised(tmp_path)
    edge, _ = await held.start()

    async def fails(_self: PublishedKeys) -> None:
        raise OSError("no")

    with monkeypatch.context() as patched:
        patched.setattr(PublishedKeys, "stop", fails)
        assert (await held.reload()).startswith("reloaded in ")
    assert '"part": "published keys"' in capsys.readouterr().err
    host, _, port = edge.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    assert await held.drain() == 0


async def test_a_listener_that_cannot_be_shared_leaves_the_node_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: list[int]
) -> None:
    held = supervised(tmp_path)
    await held.start()
    node = held.node

    def fails(_self: Api) -> None:
        raise OSError("too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Api, "share", fails)
        with pytest.raises(NotReloaded, match="too many open"):
            await held.reload()
    assert (held.node, ended) == (node, [])
    assert (await held.reload()).startswith("reloaded in ")
    assert await held.drain() == 0


def test_memory_settles_after_the_start() -> None:
    before = gc.get_threshold()
    try:
        supervisor.settle_memory()
        assert gc.get_threshold()[0] > 10_000
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
