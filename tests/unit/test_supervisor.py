"""The process around a node. Reloads of running nodes are in tests/e2e/test_reload.py."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import TYPE_CHECKING

import pytest
import structlog

from hivewire import supervisor
from hivewire.app import FATAL_STATUS, Node
from hivewire.control import NAME
from hivewire.launch import Launch
from hivewire.supervisor import NotReloaded, Supervisor
from tests.unit.test_app import settings

if TYPE_CHECKING:
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


async def test_I1_a_node_that_fails_while_it_takes_over_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = supervised(tmp_path)
    await held.start()
    ended: list[int] = []

    async def fails(_self: Node, left: Handover) -> None:
        left.listener.close()
        raise OSError("no")

    def end(status: int) -> None:
        ended.append(status)
        raise EOFError

    monkeypatch.setattr(Node, "take_over", fails)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(EOFError):
        await held.reload()
    assert ended == [FATAL_STATUS]
    await held._control.stop()
    await held.node.stop()


def test_memory_settles_after_the_start() -> None:
    before = gc.get_threshold()
    try:
        supervisor.settle_memory()
        assert gc.get_threshold()[0] > 10_000
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
