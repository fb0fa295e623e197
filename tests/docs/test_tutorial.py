"""docs/tutorial.md from its first block to its last; the first chat is that of README.md."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.docs.pages import ROOT, block
from tests.docs.reader import at, edge_url
from tests.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TUTORIAL = "docs/tutorial.md"
PAIR = (("ann", "ben"), ("ben", "ann"))
HIVEWIRE = """#!/bin/sh
[ "$1" != chat ] || set -- "$@" --url "$URL"
exec {python} -m hivewire "$@"
"""
"""The command as it is installed, but that `chat` finds a node on any port."""
PYTHON = """#!/bin/sh
exec {python} "$@"
"""
UVICORN = """#!/bin/sh
exec {python} -m uvicorn "$@"
"""


class Desk:
    """A directory with a shell, where the reader types what the page says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bin = directory / ".venv" / "bin"
        self.bin.mkdir(parents=True)
        for name, script in (("hivewire", HIVEWIRE), ("python", PYTHON), ("uvicorn", UVICORN)):
            (self.bin / name).write_text(script.format(python=sys.executable))
            (self.bin / name).chmod(0o755)
        self.node: Node | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.hook_port: int = free.getsockname()[1]

    def write(self, words: str) -> None:
        """Save the block that names its file."""
        found = block(TUTORIAL, words)
        assert found.file is not None
        (self.directory / found.file).write_text(self.said(found.text))

    def said(self, text: str) -> str:
        """What the page says, with the ports of this desk."""
        text = text.replace("9000", str(self.hook_port))
        return text if self.node is None else at(self.node, text)

    def serve(self, words: str) -> None:
        """Start the node as the last line of that block does; one that runs is stopped."""
        self.leave()
        line = shlex.split(block(TUTORIAL, words).text.splitlines()[-1], comments=True)
        start = line.index("serve")
        assert line[start - 1] == "hivewire"
        env: dict[str, str | None] = dict(word.split("=", 1) for word in line[: start - 1])
        env |= {"HIVEWIRE_AUTH__SECRET": None, "PYTHONPATH": self.modules}
        self.node = Node(self.directory / "data", env=env, flags=self._flags(line[start + 1 :]))
        self.node.start()

    def _flags(self, words: list[str]) -> list[str]:
        """Files are those of the desk, wherever the node was started."""
        return [str(self.directory / word) if word.endswith(".toml") else word for word in words]

    def leave(self) -> None:
        if self.node is not None:
            self.node.stop()
            self.node.assert_calm()
            self.node = None

    @property
    def modules(self) -> str:
        return f"{self.directory}:{ROOT / 'python'}"

    @property
    def running(self) -> Node:
        assert self.node is not None
        return self.node

    def type(self, text: str) -> str:
        """Have bash run it; its output."""
        done = subprocess.run(["bash", "-euc", self.said(text)], check=False, **self._here())
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def chat(self, text: str, says: str, sees: str) -> str:
        """Say a line in a chat, and leave when that was seen; all that was seen."""
        with subprocess.Popen(
            ["bash", "-euc", f"exec {text}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **self._where(),
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{says}\n")
            process.stdin.flush()
            seen = ""
            while sees not in seen:
                line = process.stdout.readline()
                assert line, f"the chat ended before {sees!r}: {seen}"
                seen += line
            process.stdin.close()
        return seen

    @contextlib.contextmanager
    def server(self, text: str) -> Iterator[IO[str]]:
        """Have it run meanwhile; what it prints, from the moment that it accepts."""
        with subprocess.Popen(
            ["env", *shlex.split(self.said(text))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **self._where(),
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            while "running on" not in (line := process.stderr.readline()):
                assert line, "the server ended"
            yield process.stdout
            process.terminate()

    def _where(self) -> dict[str, Any]:
        path = f"{self.bin}:{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "PYTHONPATH": self.modules, "URL": edge_url(self.running)}
        return {"cwd": self.directory, "env": env, "text": True}

    def _here(self) -> dict[str, Any]:
        return self._where() | {"capture_output": True}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    sat = Desk(tmp_path)
    yield sat
    sat.leave()


def test_the_tutorial(desk: Desk) -> None:
    desk.serve("make setup")
    ann, ben = block("README.md", "chat --as ann --to ben").text.splitlines()
    for line, (who, to) in zip((ann, ben), PAIR, strict=True):
        told = block(TUTORIAL, f"chat --as {who} --to {to}").text.strip()
        assert line == f".venv/bin/{told}"
    assert "✓" in desk.chat(ann, "hello ben", "hello ben")
    assert "hello ben" in desk.chat(ben, "hello ann", "hello ann")

    desk.write("# hello.py")
    assert desk.type(block(TUTORIAL, "python hello.py").text) == (
        "message 3 of direct:ann,ben is on the disk\n"
    )
    assert "hello from a program" in desk.chat(ben, "yes", "yes")

    desk.write("# echo.py")
    assert block("README.md", "# echo.py").text == block(TUTORIAL, "# echo.py").text
    desk.serve("\nhivewire serve --dev echo:app")
    bot = block(TUTORIAL, "--to bot").text.strip()
    starts = ["hivewire serve --dev echo:app", bot]
    told = block("README.md", ".venv/bin/hivewire serve --dev echo:app").text.splitlines()
    assert told == [f".venv/bin/{line}" for line in starts]
    desk.chat(bot, "are you there?", "you said: are you there?")
    echo = desk.directory / "echo.py"
    echo.write_text(echo.read_text().replace("you said", "did you say"))
    desk.type("hivewire reload")
    desk.chat(bot, "and now?", "did you say: and now?")

    desk.serve("HIVEWIRE_API__KEY")
    curl = block(TUTORIAL, "curl").text
    first, again = (json.loads(desk.type(curl)) for _ in range(2))
    assert (first["n"], first["dup"], again["n"], again["dup"]) == (1, False, 1, True)
    seen = desk.chat("hivewire chat --as ann --to shop", "you're welcome", "you're welcome")
    assert seen.count("Paid. Thank you!") == 1


def test_its_webhook(desk: Desk) -> None:
    (desk.directory / "examples").symlink_to(ROOT / "examples")
    desk.write("# push.toml")
    desk.serve("--config push.toml")
    with desk.server(block(TUTORIAL, "uvicorn").text) as server:
        desk.write("# phone.py")
        desk.type(block(TUTORIAL, "python phone.py").text)
        desk.chat(block(TUTORIAL, "chat --as ann --to ben").text.strip(), "wake up", "wake up")
        assert server.readline() == "message the phone's own token direct:ann,ben wake up\n"
