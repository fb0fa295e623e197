"""Two people open `hivewire chat`, and the node is killed between two of their lines."""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.node import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.node import Node

pytestmark = pytest.mark.e2e

PATIENCE = 20.0


class Terminal:
    """A `hivewire chat` process: what is typed, and what shows."""

    def __init__(self, port: int, me: str, to: str) -> None:
        command = [sys.executable, "-m", "hivewire", "chat", "--as", me, "--to", to]
        self._process = subprocess.Popen(
            [*command, "--url", f"ws://127.0.0.1:{port}/v1/ws"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self.shown: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def type(self, text: str) -> Self:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()
        return self

    def wait_for(self, pattern: str) -> str:
        """The next line that matches; everything before it is kept in `shown`."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern!r} in {self.shown}") from None
            self.shown.append(line)
            if re.search(pattern, line):
                return line

    def leave(self) -> int:
        """Ctrl-D; gives the exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(PATIENCE)
        self._reader.join()
        while not self._lines.empty():
            self.shown.append(self._lines.get())
        return status

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def chat(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Terminal]]:
    monkeypatch.setenv("HIVEWIRE_AUTH__SECRET", SECRET)
    with contextlib.ExitStack() as stack:

        def start(me: str, to: str) -> Terminal:
            terminal = Terminal(port, me, to)
            stack.callback(terminal.kill)
            return terminal

        yield start


def test_two_people_talk_through_a_kill_of_the_node(
    start_node: Callable[..., Node], chat: Callable[[str, str], Terminal], port: int
) -> None:
    node = start_node(flags=["--edge", f"127.0.0.1:{port}"])
    alice, bob = chat("alice", "bob"), chat("bob", "alice")
    alice.wait_for("online as alice")
    bob.wait_for("online as bob")
    alice.type("first line").wait_for(r"alice: first line ✓$")
    bob.wait_for(r"alice: first line$")

    node.kill9()
    alice.wait_for("offline")
    bob.wait_for("offline")
    bob.type("typed while the node was down").wait_for("waits: typed while")
    node.restart()

    alice.wait_for(r"bob: typed while the node was down$")
    bob.wait_for(r"bob: typed while the node was down ✓$")
    alice.type("and it goes on").wait_for(r"alice: and it goes on ✓$")
    bob.wait_for(r"alice: and it goes on$")
    assert (alice.leave(), bob.leave()) == (0, 0)
    for terminal in (alice, bob):
        for text in ("first line", "typed while the node was down", "and it goes on"):
            assert sum(text in line and "waits" not in line for line in terminal.shown) == 1


def test_a_newcomer_sees_what_was_written_to_him_and_then_only_what_is_new(
    start_node: Callable[..., Node], chat: Callable[[str, str], Terminal], port: int
) -> None:
    start_node(flags=["--edge", f"127.0.0.1:{port}"])
    alice = chat("alice", "carol")
    alice.wait_for("online")
    for number in range(5):
        alice.type(f"line {number}").wait_for(f"line {number} ✓")
    assert alice.leave() == 0

    carol = chat("carol", "alice")
    carol.wait_for(r"alice: line 4$")
    assert [line[-6:] for line in carol.shown if "alice: " in line] == [
        f"line {number}" for number in range(5)
    ]
    carol.type("hello").wait_for("carol: hello ✓")
    assert carol.leave() == 0

    again = chat("carol", "alice")
    again.wait_for("online")
    again.type("back").wait_for("carol: back ✓")
    assert again.leave() == 0
    assert not any("line" in line and "online" not in line for line in again.shown)


def test_a_bad_token_ends_with_a_sentence(
    start_node: Callable[..., Node],
    chat: Callable[[str, str], Terminal],
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_node(flags=["--edge", f"127.0.0.1:{port}"])
    monkeypatch.setenv("HIVEWIRE_AUTH__SECRET", "another secret of the same length!!!")
    stranger = chat("mallory", "bob")
    stranger.wait_for("hivewire: closed with 4500")
    assert stranger.leave() == 1
