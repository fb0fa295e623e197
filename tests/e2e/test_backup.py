"""An operator's story: a backup of a node that runs, and what clients see of the restored one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.chaos.points import chaos_at
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import hivewire
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node

    Name = Callable[[str], str]


def backup(node: Node, to: Path, status: int = 0) -> str:
    done = hivewire("backup", "--data", str(node.data), "--to", str(to))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_a_restored_node_has_what_was_answered_and_clients_start_again(
    start_node: Callable[..., Node], name: Name, tmp_path: Path
) -> None:
    node = start_node()
    ann, bob = name("ann"), name("bob")
    line = await Stranger.join(node, ann)
    sent = [await line.send(f"user:{bob}", f"before {at}", key()) for at in range(20)]
    talking = asyncio.create_task(talk(line, bob))
    backed_up = asyncio.create_task(asyncio.to_thread(backup, node, tmp_path / "backup"))
    assert "backed up" in await backed_up
    talking.cancel()
    await line.send(f"user:{bob}", "after", key())
    line.cut()
    node.stop()

    restored = hivewire("restore", "--from", f"{tmp_path / 'backup'}", "--data", f"{tmp_path}/new")
    assert restored.returncode == 0, restored.stderr
    proved = hivewire("verify", "--data", str(tmp_path / "new"))
    assert proved.returncode == 0, proved.stdout
    new = start_node(name="new")
    async with await Stranger.dial(new) as again:
        known = {"epoch": line.connected["epoch"], "cursor": sent[-1]["seq"]}
        told = await again.connect(token=token(ann), device="phone", **known)
        assert told["reset"] is True
        assert told["cursor"] == 0
        assert told["epoch"] != line.connected["epoch"]
        texts = [event["text"] for event in await again.read_all()]
    assert texts[:20] == [f"before {at}" for at in range(20)]
    assert "after" not in texts


async def talk(line: Stranger, to: str) -> None:
    """Go on while the backup is made."""
    while True:
        await line.send(f"user:{to}", "meanwhile", key())


@pytest.mark.parametrize("point", ["backup-checkpoint", "backup-before-name"])
async def test_a_kill_leaves_no_half_backup(
    start_node: Callable[..., Node], name: Name, tmp_path: Path, point: str
) -> None:
    node = start_node()
    async with await Stranger.join(node, name("ann")) as ann:
        await ann.send(f"user:{name('bob')}", "x", key())
    node.stop()
    node.restart(extra_env=chaos_at(point, 1))
    to = tmp_path / "backup"
    assert "ended before it answered" in await asyncio.to_thread(backup, node, to, 1)
    node.wait()
    assert not to.exists()
    node.restart()
    assert not (node.data / "checkpoint").exists()
    await asyncio.to_thread(backup, node, to)
    assert not to.with_name("backup.partial").exists()
    node.stop()
    # And of a node that does not run.
    assert "backed up" in backup(node, tmp_path / "second")


async def test_inspect_beside_a_node(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node()
    ann, bob, used = name("ann"), name("bob"), key()

    def inspect(*arguments: str) -> list[dict[str, object]]:
        done = hivewire("inspect", "--data", str(node.data), *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    async with await Stranger.join(node, ann) as line:
        sent = await line.send(f"user:{bob}", "hello", used)
        (about,) = await asyncio.to_thread(inspect)
        assert about["epoch"] == line.connected["epoch"]
        rows = await asyncio.to_thread(inspect, "--user", bob)
        assert [row["text"] for row in rows if row["row"] == "event"] == ["hello"]
        rows = await asyncio.to_thread(inspect, "--conversation", sent["conv"])
        assert [row["n"] for row in rows if row["row"] == "event"] == [sent["n"]]
        (row,) = await asyncio.to_thread(inspect, "--user", ann, "--key", used)
        assert (row["op"], row["n"]) == ("send", sent["n"])
