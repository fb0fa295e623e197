"""websockets on uvloop: `echo` sends each message back, `fanout` uses its `broadcast`."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

SUBSCRIBERS = set[ServerConnection]()


async def echo(connection: ServerConnection) -> None:
    """Back it goes."""
    async for message in connection:
        await connection.send(message)


async def fanout(connection: ServerConnection) -> None:
    """What one says, all who said `sub` get."""
    try:
        async for message in connection:
            if message in ("sub", "pub"):
                if message == "sub":
                    SUBSCRIBERS.add(connection)
                await connection.send("ok")
            else:
                broadcast(SUBSCRIBERS, message)
    except ConnectionClosed:
        pass
    finally:
        SUBSCRIBERS.discard(connection)


async def main() -> None:
    """Serve until SIGTERM."""
    handler = echo if sys.argv[1] == "echo" else fanout
    options = {"compression": None, "ping_interval": None, "backlog": 4096}
    async with serve(handler, "127.0.0.1", int(sys.argv[2]), **options) as server:
        host, port = next(iter(server.sockets)).getsockname()
        print(f"ready {host}:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
