"""The fan-out figure's server: hivewire's engine and its batches, with one topic for everybody.

A connection's first message is `sub` (it is subscribed) or `pub`, answered by `ok`; every later one
is published to the topic as it is. No store and no commands: what is measured is the engine's
subscription table and the way of a publish through Python.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import uvloop

from hivewire import _engine as engine
from hivewire.gateway import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH: Final = 512
TOPIC: Final = "everybody"
HOUR_MS: Final = 3_600_000


def answers(conn: int, user: str | None, frames: list[bytes]) -> Iterator[tuple[Any, ...]]:
    """The ops that a connection's messages lead to."""
    if user is None:
        role, *frames = frames
        expires = int(time.time()) + HOUR_MS // 1000
        session = (f"u{conn}", "bench", 0, True, expires, 300_000, 10_000, False)
        yield (engine.CONNECTED, conn, b"ok", *session)
        if role == b"sub":
            yield (engine.SUBSCRIBE, conn, TOPIC)
    for frame in frames:
        yield (engine.PUBLISH, TOPIC, frame, None, False)


async def serve(address: str, shards: int) -> None:
    """Serve until SIGTERM."""
    node = engine.Engine(EngineSettings(address, shards=shards, max_connections=60_000))
    host, port = node.listen()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)

    def turn() -> None:
        _, items = node.take(BATCH)
        ops = list[tuple[Any, ...]]()
        for item in items:
            if item[0] == engine.COMMANDS:
                _, conn, user, _device, _encoding, frames, _token = item
                ops.extend(answers(conn, user, frames))
        if ops:
            node.submit(ops)

    loop.add_reader(node.fileno(), turn)
    print(f"ready edge={host}:{port}", flush=True)
    await ended.wait()
    loop.remove_reader(node.fileno())
    node.stop()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--shards", type=int, default=1)
    words = parser.parse_args()
    uvloop.run(serve(words.edge, words.shards))


if __name__ == "__main__":
    main()
