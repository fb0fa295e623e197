"""A few threads for what blocks: files and their hashes. The loop never waits for a disk."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

THREADS = 4
"""Files at once: a disk gains little from more."""


class InThread:
    """Call it with a function to have it run in one of the threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "media")

    async def __call__(self, job: Callable[[], Result]) -> Result:
        """Run `job` elsewhere; gives what it returned, raises what it raised."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job)

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
