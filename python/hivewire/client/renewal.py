"""Fetches a fresh token before the one of the line ends (protocol.md section 7, `refresh`)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from hivewire.client.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# So long before the end of the old one, or at nine tenths of a short life.
EARLY_SECONDS: Final = 60.0
SHARE: Final = 0.9
# An application that gives the same token again does not make this a storm.
LEAST_SECONDS: Final = 1.0


class Renewal:
    """Renews the token of one line after the other.

    Args:
        fetch: gives a fresh token; None where the application has given a fixed one.
        refresh: tells the server.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[str]] | None,
        refresh: Callable[[str], Awaitable[None]],
    ) -> None:
        self._fetch = fetch
        self._refresh = refresh
        # How far the server's clock is ahead (milliseconds), as `connected` has told.
        self._ahead = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def on_answer(self, answer: dict[str, Any]) -> None:
        """`connected` or the answer to `refresh` says when the token ends."""
        expires = answer.get("token_expires")
        if self._fetch is None or not isinstance(expires, int):
            return
        self.stop()
        here = time.time() * 1000
        if "server_time" in answer:
            self._ahead = answer["server_time"] - here
        left = (expires - self._ahead - here) / 1000
        wait = max(left - EARLY_SECONDS, left * SHARE, LEAST_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(wait, self._begin)

    def stop(self) -> None:
        """The line is gone: the next one begins with a proof of its own."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._timer = None
        if self._fetch is not None:
            self._task = asyncio.create_task(self._renew(self._fetch))

    async def _renew(self, fetch: Callable[[], Awaitable[str]]) -> None:
        """Failing is no harm: the server ends the line with 4002, the next asks for a token."""
        try:
            await self._refresh(await fetch())
        except (OSError, ClientError):
            return
