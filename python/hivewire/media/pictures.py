"""Pictures, as the node sees them: one process beside it unpacks them, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from hivewire.log import REQUEST
from hivewire.media import refusals

if TYPE_CHECKING:
    from hivewire.config.media import Media as MediaSettings

log = structlog.get_logger(__name__)


class Picture(NamedTuple):
    """What was found out about a picture whose thumbnail was written."""

    width: int
    height: int


class Pictures:
    """The process that looks at pictures, started when there is one. Loop thread only."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self.failed = 0
        """Pictures that could not be unpacked."""
        self.killed = 0
        """Of these, those that took too much time or memory."""

    async def look(self, source: Path, decoder: str, target: Path) -> Picture | None:
        """Measure a picture and write its thumbnail to `target`; None if it is no good picture.

        Raises Refused if it says that it has more pixels than pictures may have.
        """
        settings = self._settings
        asked = {
            "source": str(source),
            "decoder": decoder,
            "target": str(target),
            "box": settings.thumbnail,
            "pixels": settings.pixels,
        }
        async with self._turn:
            found = await self._ask(asked)
        if found.get("error") == "pixels":
            raise refusals.too_many_pixels(settings.pixels)
        if "error" in found:
            self.failed += 1
            about = {"request": REQUEST.get(), "reason": found.get("reason")}
            log.info("a picture could not be unpacked", **about)
            return None
        return Picture(found["width"], found["height"])

    async def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One line there and one back. A process that does not answer is ended."""
        line = json.dumps(asked).encode() + b"\n"
        try:
            async with asyncio.timeout(self._settings.picture_time / 1000):
                found = b""
                if self._process is not None:
                    # One that has done its number of pictures may have ended since.
                    found = await self._exchange(self._process, line)
                if not found:
                    await self.stop()
                    self._process = await self._start()
                    found = await self._exchange(self._process, line)
        except TimeoutError:
            found = b""
        except BaseException:
            # Half an exchange: the next line would be the answer to this one.
            await self.stop()
            raise
        if found:
            return json.loads(found)
        await self.stop()
        self.killed += 1
        return {"error": "unreadable", "reason": "too much time or memory"}

    async def _exchange(self, process: asyncio.subprocess.Process, line: bytes) -> bytes:
        """The answer to a line; nothing if the process ends."""
        reader, writer = process.stdout, process.stdin
        if reader is None or writer is None:
            raise AssertionError("the process was started with pipes")
        try:
            writer.write(line)
            await writer.drain()
            return await reader.readline()
        except (BrokenPipeError, ConnectionResetError):
            return b""

    async def _start(self) -> asyncio.subprocess.Process:
        settings = self._settings
        seconds = max(1, settings.picture_time // 1000)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            # By its path: it needs Pillow and nothing of the node.
            *("-P", str(Path(__file__).with_name("picture.py"))),
            *("--memory", str(settings.picture_memory), "--seconds", str(seconds)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
