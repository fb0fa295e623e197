"""Hostile peers, each attack as a program of its own, so that it shares no loop with its victims:

`python -m tests.hostile.attacks NAME HOST PORT SECONDS` attacks for so long and prints, as JSON,
how often each end came (`4013`, `HTTP 408`, `end`, …).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import socket
import sys
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING

from tests.e2e.rfc6455 import CLOSE, CONT, PING, TEXT, Ended, Line, encode, inflate, request
from tests.e2e.stranger import Closed, Stranger, key
from tests.node import Node
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

Edge = tuple[str, int]
Ends = Counter[str]

ATTACKERS = 20
SILENT = 10_000
CRAWLERS = 500
PROTOCOL = [("Sec-WebSocket-Protocol", "hivewire.v1.json")]
DEFLATE = [*PROTOCOL, ("Sec-WebSocket-Extensions", "permessage-deflate")]
BOMB = 32 << 20
"""Bytes that one frame of a bomb inflates to."""


class Elsewhere(Node):
    """A node that somebody else has started."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge


async def ping_flood(edge: Edge, until: float) -> Ends:
    """Pings as fast as the line takes them; closed, they come back and go on."""
    ping = encode(PING, b"x" * 100) * 200
    return await _again_and_again(edge, until, lambda line: _pour(line, ping))


async def tiny_fragments(edge: Edge, until: float) -> Ends:
    """One message in frames of a single byte, without an end."""
    frames = encode(CONT, b"x", fin=False) * 500

    async def pour(line: Line) -> None:
        line.send(TEXT, b"{", fin=False)
        await _pour(line, frames)

    return await _again_and_again(edge, until, pour)


async def bombs(edge: Edge, until: float) -> Ends:
    """Frames of 32 KiB that inflate to a thousand times as much."""
    coder = zlib.compressobj(9, wbits=-15)
    small = coder.compress(b" " * BOMB) + coder.flush(zlib.Z_SYNC_FLUSH)
    bomb = encode(TEXT, small, rsv=4)

    async def throw(line: Line) -> None:
        assert "permessage-deflate" in line.headers["sec-websocket-extensions"]
        await _pour(line, bomb)

    return await _again_and_again(edge, until, throw, headers=DEFLATE)


async def slow_handshakes(edge: Edge, until: float) -> Ends:
    """Upgrade requests that come byte by byte and never end."""
    head = request()[0][:-2] + b"X-Slow: "

    async def crawl(line: Line) -> None:
        for byte in head + b"x" * 10_000:
            line.send_raw(bytes((byte,)))
            await line.writer.drain()
            await asyncio.sleep(0.1)

    return await _again_and_again(edge, until, crawl, upgrade=False, attackers=CRAWLERS)


async def silence(edge: Edge, until: float) -> Ends:
    """Connections that never say a word."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(SILENT, max(soft, hard) - 200)
    silent: list[socket.socket] = []
    for _ in range(count):
        raw = socket.create_connection(edge)
        raw.settimeout(10)
        silent.append(raw)
    ends = Ends()
    for raw in silent:
        with raw, contextlib.suppress(ConnectionError, TimeoutError):
            answer = await asyncio.to_thread(raw.recv, 4_096)
            ends[f"HTTP {answer[9:12].decode()}" if answer else "end"] += 1
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    return ends


async def eager_sender(edge: Edge, until: float) -> Ends:
    """A user who sends at a hundred times the rate, and does not mind what he is told."""
    node, ends = Elsewhere(edge), Ends()
    while time.monotonic() < until:
        try:
            sender = await Stranger.join(node, f"eager.{os.getpid()}")
            await _send_a_lot(sender, until, ends)
        except Closed as closed:
            ends[str(closed.code)] += 1
    return ends


async def _send_a_lot(sender: Stranger, until: float, ends: Ends) -> None:
    while time.monotonic() < until:
        asked = [sender.ask("send", to="user:victim", key=key(), text="!") for _ in range(100)]
        for answer in await asyncio.gather(*asked):
            ends[answer.get("code", answer["op"])] += 1
        await asyncio.sleep(0.05)
    await sender.leave()


async def _pour(line: Line, bytes_: bytes) -> None:
    """Send the same again and again until the line is gone."""
    while True:
        line.send_raw(bytes_)
        await line.writer.drain()


async def _again_and_again(
    edge: Edge,
    until: float,
    attack: Callable[[Line], Awaitable[None]],
    *,
    headers: list[tuple[str, str]] = PROTOCOL,
    upgrade: bool = True,
    attackers: int = ATTACKERS,
) -> Ends:
    """Attack on so many lines at once; who is thrown out comes back until time is over."""
    ends = Ends()

    async def one() -> None:
        while time.monotonic() < until:
            line = await (Line.open(edge, headers=headers) if upgrade else Line.dial(edge))
            if upgrade:
                await _connect(line)
            pouring = asyncio.ensure_future(attack(line))
            ends[await _end_of(line, until)] += 1
            pouring.cancel()
            await asyncio.gather(pouring, return_exceptions=True)
            line.abort()

    done = await asyncio.gather(*(one() for _ in range(attackers)), return_exceptions=True)
    for error in done:
        if error is not None:
            ends[type(error).__name__] += 1
    return ends


async def _connect(line: Line) -> None:
    user = f"hostile.{os.urandom(4).hex()}"
    hello = {"op": "connect", "id": 1, "token": token(user), "device": "phone"}
    line.send(TEXT, json.dumps(hello).encode())
    frame = await line.frame()
    answer = json.loads(inflate(frame.payload) if frame.rsv else frame.payload)
    assert answer["op"] == "connected", answer


async def _end_of(line: Line, until: float) -> str:
    """How the node ends a line: the code of its Close, its answer by HTTP, or without a word."""
    try:
        async with asyncio.timeout(max(1.0, until - time.monotonic() + 5)):
            while True:
                if not line.headers:
                    status, *_ = await line.http_response()
                    return f"HTTP {status}"
                frame = await line.frame()
                if frame.opcode == CLOSE:
                    return str(frame.close_code)
    except Ended:
        return "end"
    except TimeoutError:
        return "never"


ATTACKS: dict[str, Callable[[Edge, float], Awaitable[Ends]]] = {
    attack.__name__: attack
    for attack in (ping_flood, tiny_fragments, bombs, slow_handshakes, silence, eager_sender)
}


async def launch(name: str, edge: Edge, seconds: float, root: Path, *, nice: int = 0) -> Ends:
    """Run an attack in a process of its own and wait for its end."""
    command = ["nice", "-n", str(nice), sys.executable, "-m", "tests.hostile.attacks", name]
    command += [*map(str, edge), str(seconds)]
    attack = await asyncio.create_subprocess_exec(
        *command, cwd=root, stdout=asyncio.subprocess.PIPE
    )
    try:
        said, _ = await asyncio.wait_for(attack.communicate(), seconds + 60)
    finally:
        if attack.returncode is None:
            attack.kill()
            await attack.wait()
    return Ends(json.loads(said))


if __name__ == "__main__":
    _, name, host, port, seconds = sys.argv
    ends = asyncio.run(ATTACKS[name]((host, int(port)), time.monotonic() + float(seconds)))
    sys.stdout.write(json.dumps(ends))
