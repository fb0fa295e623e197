"""The Autobahn cases against the Python client's framing: kosoku is the server, the client echoes.

The client says what its protocol allows: no compression (groups 12 and 13 are not offered) and
messages of at most 512 KiB (group 9 is about larger ones).
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from picows import WSError, WSFrame, WSMsgType, WSTransport, ws_connect

from hivewire.client.connection import JSON, MAX_MESSAGE, UNREADABLE, Connection
from tests.conformance.run import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

CASES = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
EXPLAINED = {
    "7.1.2": "picows answers a second Close in the same read with 1002, before the first is told; "
    "the client comes back all the same, and a node sends one Close",
}
"""Cases that the transport library decides and that harm nobody, with the reason."""
CASE_SECONDS = 20.0
AT_ONCE = 8


class Echo(Connection):
    """The client's connection, where a message means: send it back."""

    def __init__(self) -> None:
        super().__init__(JSON, lambda _: None)

    @classmethod
    async def run(cls, base: str, case: int, gate: asyncio.Semaphore) -> None:
        """Echo until the server ends the line."""
        url = f"{base}/runCase?case={case}&agent=client"
        echo = cls()
        async with gate:
            try:
                await ws_connect(lambda: echo, url, max_frame_size=MAX_MESSAGE, max_redirects=0)
            except WSError:
                return  # the case ended the line before it was open
            await asyncio.wait_for(echo.wait_ended(), CASE_SECONDS)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY) and not self._parts:
            self._encoding = JSON._replace(frame=frame.msg_type)
        super().on_ws_frame(transport, frame)

    def _on_message(self, message: bytes) -> None:
        kind = self._encoding.frame
        if kind == WSMsgType.TEXT:
            try:
                message.decode()
            except UnicodeDecodeError:
                self.close(UNREADABLE)
                return
        assert self._transport is not None
        self._transport.send(kind, message)


class Number(Connection):
    """Reads the one number that a case-less address of the server tells."""

    def __init__(self) -> None:
        super().__init__(JSON, lambda _: None)
        self.value = 0

    @classmethod
    async def ask(cls, url: str) -> int:
        """The number, 0 if none is told."""
        number = cls()
        await ws_connect(lambda: number, url)
        await number.wait_ended()
        return number.value

    def _on_message(self, message: bytes) -> None:
        self.value = int(message)


def run_client_cases(patterns: Sequence[str] = CASES) -> list[Verdict]:
    """Run the cases that match; their verdicts in the order of the suite."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as report:
        command = [str(Path(sys.executable).with_name("kosoku")), "-m", "fuzzingserver"]
        command += ["-o", report, address]
        for pattern in patterns:
            command += ["-i", pattern]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                asyncio.run(_echo_all(f"ws://{address}"))
                agent = _read_report(Path(report) / "index.json")
            finally:
                process.terminate()
    return [Verdict(case, row["behavior"], row["behaviorClose"]) for case, row in agent.items()]


async def _echo_all(base: str) -> None:
    cases = range(1, await _count(base) + 1)
    gate = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(Echo.run(base, case, gate) for case in cases))
    await Number.ask(f"{base}/updateReports?agent=client")


async def _count(base: str) -> int:
    """How many cases there are, once the server listens."""
    async with asyncio.timeout(CASE_SECONDS):
        while True:
            try:
                return await Number.ask(f"{base}/getCaseCount")
            except OSError:
                await asyncio.sleep(0.05)


def _read_report(index: Path) -> dict[str, dict[str, str]]:
    """What kosoku writes after the last case."""
    deadline = time.monotonic() + CASE_SECONDS
    while True:
        try:
            (agent,) = json.loads(index.read_bytes()).values()
        except (FileNotFoundError, json.JSONDecodeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return agent


def main() -> int:
    """Run everything, say what failed."""
    verdicts = run_client_cases()
    passed = [verdict for verdict in verdicts if verdict.passed]
    print(f"client: {len(passed)} of {len(verdicts)}")  # noqa: T201
    for verdict in verdicts:
        if not verdict.passed:
            print(f"{verdict}: {EXPLAINED.get(verdict.case, 'failed')}")  # noqa: T201
    return 1 if {v.case for v in verdicts if not v.passed} - EXPLAINED.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
