"""The settings and commands of docs/operations.md, but for where files lie on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.docs.pages import block
from tests.e2e.stranger import Stranger, key
from tests.node import Node

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/operations.md"
KEY_FILE = "/etc/hivewire/jwt.pem"
DATA = "/var/lib/hivewire"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with the page's `hivewire.toml`, whose key is made for this test."""
    key = Ed25519PrivateKey.generate().public_key()
    pem = tmp_path / "jwt.pem"
    pem.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    text = block(PAGE, "[auth]").text
    assert KEY_FILE in text
    (tmp_path / "hivewire.toml").write_text(text.replace(KEY_FILE, str(pem)))
    return tmp_path


@pytest.mark.parametrize("command", ["check-config", "doctor"])
def test_the_settings_are_good(command: str, here: Path) -> None:
    """`doctor` may find this machine too small for them, and says so; it reads them all."""
    (line,) = [line for line in start_lines() if command in line]
    env = {name: value for name, value in os.environ.items() if not name.startswith("HIVEWIRE_")}
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(line, comments=True)],
        cwd=here, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if command == "check-config":
        assert done.returncode == 0, done.stderr
    else:
        assert "key for EdDSA" in done.stdout, done.stdout + done.stderr


def test_the_node_starts_with_them(here: Path) -> None:
    (line,) = [line for line in start_lines() if "serve" in line]
    config = str(here / "hivewire.toml")
    words = shlex.split(line.replace("hivewire.toml", config), comments=True)[2:]
    data = words.index(DATA)
    node = Node(here / "data", env={"HIVEWIRE_AUTH__SECRET": None})
    node.flags = [*words[: data - 1], *words[data + 1 :]]
    node.start().stop()


def test_a_backup_is_made_restored_and_verified(tmp_path: Path) -> None:
    text = block(PAGE, "hivewire backup").text
    for place in (DATA, "/srv/backups/monday", "/var/lib/restored"):
        assert place in text
        text = text.replace(place, str(tmp_path / place.rpartition("/")[2]))
    *lines, serve = (shlex.split(line, comments=True)[1:] for line in text.splitlines())
    node = Node(tmp_path / "hivewire").start()
    for words in lines:
        command = [sys.executable, "-m", "hivewire", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
    node.stop()
    assert serve == ["serve", "--data", str(tmp_path / "restored")]
    Node(tmp_path / "restored").start().stop()


async def test_one_message_is_followed_through_the_log(tmp_path: Path) -> None:
    env = {"HIVEWIRE_LOG__LEVEL": "debug", "HIVEWIRE_LOG__FORMAT": "json"}
    node = Node(tmp_path / "node", env=env).start()
    async with await Stranger.join(node, "ann") as ann, await Stranger.join(node, "ben") as ben:
        for _ in range(8):
            sent = await ann.send("user:ben", "hi", key())
        await ben.events(sent["n"])
        await ben.call("ack", seq=sent["n"])
        await ben.call("read", conv=sent["conv"], n=sent["n"])
    node.stop()
    node.log.rename(tmp_path / "node.log")
    text = block(PAGE, "jq -c").text
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", text], cwd=tmp_path, capture_output=True, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    followed = [line["event"] for line in found if line.get("n") == 7 or "delivered" in line]
    assert followed[:3] == ["accepted", "shown", "marked"]
    of_ann = [line["event"] for line in found if line.get("connection") == ann.connected["session"]]
    # The seventh is there twice: by its place, and by its connection.
    assert of_ann == ["accepted", "connected", *["accepted"] * 8, "closed"]


def start_lines() -> list[str]:
    return block(PAGE, "hivewire doctor").text.splitlines()
