"""The bare engine as an echo server: what conformance and speed are measured on."""

from __future__ import annotations

import asyncio
import os

import uvloop

from hivewire import gateway
from hivewire.signals import on_signals


def serve(address: str, max_message: int, max_fragments: int, *, deflate: bool) -> int:
    """Run it until SIGTERM; sizes in bytes. Returns the exit status."""
    return uvloop.run(run(address, max_message, max_fragments, deflate=deflate))


async def run(address: str, max_message: int, max_fragments: int, *, deflate: bool) -> int:
    """The same on a loop that is there."""
    shards = len(os.sched_getaffinity(0))
    settings = gateway.echo_settings(address, shards, max_message, max_fragments, deflate=deflate)
    engine = gateway.Engine(settings)
    stopping = asyncio.Event()
    on_signals(asyncio.get_running_loop(), stopping)
    host, port = engine.listen()
    print(f"ready edge={host}:{port}", flush=True)  # noqa: T201 - scripts wait for this line
    await stopping.wait()
    engine.stop()
    return 0
