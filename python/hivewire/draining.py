"""The steps by which a node comes to its end: each waits for something, and none for ever."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from hivewire.delivery import Delivery
    from hivewire.gateway import Engine, Gateway
    from hivewire.hooks.bridge import Bridge

log = structlog.get_logger(__name__)

DISK_SECONDS: Final = 2.0
"""How long what is being written is waited for, when everybody has been sent off."""
PARTING: Final = 4096
"""How much may wait for the disk while it is written of everybody that he is gone."""
WRITING_SECONDS: Final = 0.002
"""How long the disk has before it is asked whether there may be more."""
DONE: Final = object()
STEP_SECONDS: Final = 0.01
QUIET_STEPS: Final = 3
"""So many steps without anything new, and what the shards had read is done."""


async def finish_taken(
    gateway: Gateway, delivery: Delivery, bridge: Bridge | None, until: float
) -> None:
    """Carry out the commands that the shards had read, and wait for their commits.

    Args:
        gateway: Takes them.
        delivery: Whose journal commits them.
        bridge: To the application, if there is one.
        until: When to give up, in seconds of `time.monotonic`.
    """
    quiet = 0
    while quiet < QUIET_STEPS and time.monotonic() < until:
        took = gateway.turn()
        delivery.cursors()
        idle = delivery.journal.is_idle and (bridge is None or bridge.is_idle)
        quiet = quiet + 1 if idle and not took else 0
        await asyncio.sleep(STEP_SECONDS)


async def see_off(
    engine: Engine, gateway: Gateway, delivery: Delivery, parting: Iterator[None], until: float
) -> None:
    """Wait until all lines have ended, and write meanwhile of everybody that he is gone.

    Args:
        engine: Has been told to end all lines.
        gateway: Hears of their ends.
        delivery: Whose journal takes what is written.
        parting: Writes of some at each step.
        until: When to give up, in seconds of `time.monotonic`.
    """
    writing = True
    while (writing or engine.connections()) and time.monotonic() < until:
        gateway.turn()
        if writing and delivery.journal.waiting <= PARTING:
            writing = next(parting, DONE) is not DONE
        await asyncio.sleep(WRITING_SECONDS if writing else STEP_SECONDS)


async def take_to_the_disk(delivery: Delivery) -> None:
    """Let what is being written come to its end, and what was gathered into its place."""
    delivery.put_gathered()
    until = time.monotonic() + DISK_SECONDS
    while not delivery.journal.is_idle and time.monotonic() < until:  # noqa: ASYNC110 - as below
        await asyncio.sleep(STEP_SECONDS)


async def tell_the_rest(bridge: Bridge, until: float) -> None:
    """Let the application hear of everything, and say its last word."""
    while not bridge.is_idle and time.monotonic() < until:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(STEP_SECONDS)
    await bridge.finish()


async def let_go(part: str, ending: Awaitable[None]) -> None:
    """Let a part end that keeps no promise. If it fails to, that is told, and all others go on."""
    try:
        await ending
    except Exception:
        log.exception("a part of the node did not end in order", part=part)
