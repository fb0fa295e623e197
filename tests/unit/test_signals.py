"""SIGTERM and SIGINT as a process gets them."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from hivewire.signals import on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_ends(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)

    async def story() -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        on_signals(loop, stopping)
        os.kill(os.getpid(), number)
        await stopping.wait()
        assert ended == []
        os.kill(os.getpid(), number)
        while not ended:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)

    asyncio.run(story())
    assert ended == [1]
