"""The socket in the data directory through which its owner speaks to the running node.

One line goes there, one JSON object comes back: `{"ok":true,"text":"…"}`. The directory is its
owner's alone (0700), and so is the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from pathlib import Path

NAME: Final = "control"
ANSWER_SECONDS: Final = 120.0
"""How long `ask` waits: a reload imports what the application imports."""
LINE_BYTES: Final = 1024


class NoNode(Exception):
    """No node answers for a data directory."""


class NotRunning(NoNode):
    """No node runs on it."""


class Control:
    """Listens in a data directory that this process holds.

    Args:
        directory: The data directory.
        obey: Carries out a word; returns whether it is done, and a text for whoever asked.
    """

    def __init__(self, directory: Path, obey: Callable[[str], Awaitable[tuple[bool, str]]]) -> None:
        self._directory = directory
        self._obey = obey
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. A socket that a killed process left is replaced. Raises OSError."""
        listener = socket.socket(socket.AF_UNIX)
        with reached(self._directory) as path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - as the kernel is told it
            listener.bind(path)
            os.chmod(path, 0o600)  # noqa: PTH101 - as above
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                (self._directory / NAME).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            word = (await reader.readline()).decode(errors="replace").strip()
            ok, text = await self._obey(word)
            writer.write(json.dumps({"ok": ok, "text": text}).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            return  # whoever asked has gone, or said no line
        finally:
            writer.close()


def ask(directory: Path, word: str, seconds: float = ANSWER_SECONDS) -> tuple[bool, str]:
    """Say a word to the node that holds a data directory, and wait for its answer.

    Raises:
        NotRunning: There is none.
        NoNode: It ended before it answered, or did not in time.
    """
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(seconds)
        try:
            with reached(directory) as path:
                line.connect(path)
        except (FileNotFoundError, ConnectionError, NotADirectoryError):
            raise NotRunning(f"no node runs on {directory}") from None
        try:
            line.sendall(word.encode() + b"\n")
            told = line.makefile("rb").readline()
        except ConnectionError:
            told = b""
        except TimeoutError:
            raise NoNode(f"no answer within {seconds:.0f} s") from None
    if not told:
        raise NoNode("the node ended before it answered")
    answer: dict[str, Any] = json.loads(told)
    return bool(answer["ok"]), str(answer["text"])


@contextlib.contextmanager
def reached(directory: Path) -> Generator[str]:
    """The socket's path, in a short form: the kernel takes 107 bytes at most."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
