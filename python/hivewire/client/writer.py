"""Writes to the store without holding up the loop: one transaction for all that came meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hivewire.client.store import Change, Store


class Writer:
    """Changes of the store, in their order. Without a store everything counts as written at once.

    Args:
        store: where to write.
        on_failed: called once when the store cannot be written; nothing is written from then on.
    """

    def __init__(self, store: Store | None, on_failed: Callable[[Exception], None]) -> None:
        self._store = store
        self._on_failed = on_failed
        self._changes: list[Change] = []
        self._thens: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    @property
    def durable(self) -> bool:
        """Whether what is written outlives the program."""
        return self._store is not None

    def write(self, changes: Iterable[Change], then: Callable[[], None] | None = None) -> None:
        """Write the changes, and call `then` when they are on the disk."""
        if self._store is None:
            if then is not None:
                then()
            return
        self._changes += changes
        if then is not None:
            self._thens.append(then)
        if self._task is None and not self._failed:
            self._task = asyncio.create_task(self._drain(self._store))

    async def idle(self) -> None:
        """Wait until everything is written, or writing has failed."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _drain(self, store: Store) -> None:
        try:
            while self._changes or self._thens:
                changes, self._changes = self._changes, []
                thens, self._thens = self._thens, []
                await asyncio.to_thread(store.write, changes)
                for then in thens:
                    then()
        except Exception as error:  # noqa: BLE001 - a full disk, a file taken away: the client ends
            self._failed = True
            self._on_failed(error)
        finally:
            self._task = None
