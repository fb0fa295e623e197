"""The bare engine as an echo server: it says where, and ends when asked."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from hivewire import echo

pytestmark = pytest.mark.unit


def test_it_listens_where_it_says_until_it_is_asked_to_stop(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def story() -> None:
        running = asyncio.create_task(echo.run("127.0.0.1:0", 65_536, 16, deflate=False))
        said = ""
        while not said:
            await asyncio.sleep(0)
            said = capsys.readouterr().out
        port = int(said.removeprefix("ready edge=127.0.0.1:"))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 0

    asyncio.run(story())
