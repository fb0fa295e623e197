"""`hivewire reload`: another application and other settings, and no connection notices."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hivewire as package
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import get
from tests.e2e.test_command_line import hivewire as command
from tests.node import Node

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

APPLICATION = """
import asyncio
import hivewire
from words import WORD

app = hivewire.App()

@app.on_start
async def hello():
    await app.send("bot", "user:witness", text=f"{WORD} starts")

@app.on_stop
async def bye():
    await app.send("bot", "user:witness", text=f"{WORD} stops")

@app.on_connect
async def comes(session):
    session.state["by"] = WORD

@app.on_disconnect
async def goes(session, code):
    await app.send("bot", "user:witness", text=f"{WORD}: {session.user} of {session.state['by']}")

@app.on_send
async def judge(message):
    if message.text == "hang" and WORD == "old":
        await asyncio.Event().wait()
    message.text = f"{WORD} {message.text}"
"""


class Place:
    """A directory with an application in it, and the node that runs it."""

    def __init__(self, root: Path, *, source: Path | None = None, **env: str) -> None:
        self.root = root / "application"
        self.root.mkdir()
        self.config = root / "settings.toml"
        self.config.write_text("")
        self.write(word="old")
        path = os.pathsep.join([str(self.root), str(source or Path(package.__file__).parents[1])])
        flags = ["--config", str(self.config), "talk:app"]
        self.node = Node(root / "data", flags=flags, env={"PYTHONPATH": path, **env})

    def write(self, word: str, talk: str = APPLICATION) -> None:
        """What the next reload imports."""
        (self.root / "talk.py").write_text(talk)
        (self.root / "words.py").write_text(f"WORD = {word!r}\n")

    async def reload(self) -> subprocess.CompletedProcess[str]:
        data = str(self.node.data)
        return await asyncio.to_thread(command, "reload", "--data", data)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    place.node.start()
    yield place
    place.node.stop()


async def texts(line: Stranger, count: int) -> list[str]:
    return [(await line.push("event"))["text"] for _ in range(count)]


async def test_hooks_are_new_and_connections_stay(place: Place) -> None:
    witness = await Stranger.join(place.node, "witness", cursor=0)
    await witness.read_all()
    ann = await Stranger.join(place.node, "ann")
    bob = await Stranger.join(place.node, "bob", encoding="msgpack")
    await ann.send("user:bob", "one", key())
    place.write(word="new")
    done = await place.reload()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("reloaded in ")
    await ann.send("user:bob", "two", key())
    assert await texts(bob, 2) == ["old one", "new two"]
    assert sorted(await texts(witness, 2)) == ["new starts", "old stops"]
    await ann.leave()
    assert await texts(witness, 1) == ["new: ann of old"]
    await bob.leave()
    await witness.leave()
    place.node.assert_calm()
