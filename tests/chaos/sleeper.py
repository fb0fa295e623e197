"""A client in a process of its own, to be stopped with SIGSTOP: `python sleeper.py HOST PORT USER`.

Prints `connected` with the head, then each event's `seq` and text, then `closed` with the code.
"""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

from tests.e2e.stranger import Closed, Stranger


async def live(host: str, port: str, user: str) -> None:
    node: Any = SimpleNamespace(edge=(host, int(port)))
    stranger = await Stranger.join(node, user, "phone")
    tell("connected", stranger.connected["head"])
    try:
        while True:
            event = await stranger.event(patience=600)
            tell(event["seq"], event["text"])
    except Closed as closed:
        tell("closed", closed.code)


def tell(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - read by the test


if __name__ == "__main__":
    asyncio.run(live(*sys.argv[1:]))
