"""How a process is asked to end."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def on_signals(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    """The first SIGTERM or SIGINT asks to stop, a second one ends the process at once."""

    def ask() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
