"""What the application reads of the timeline, and what it is done with: pages and acks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from hivewire.client.errors import CommandFailed, Disconnected
from hivewire.client.session import PAGE_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hivewire.client.session import Session

# What was consumed is acknowledged after this many events or this long.
ACK_EVENTS: Final = 16
ACK_SECONDS: Final = 0.2


class Reading:
    """Asks for pages when there is nothing in hand, and acknowledges what was consumed.

    Args:
        session: what is known of the timeline.
        transmit: writes one object to the line.
        call: asks something of this line.
        on_refused: called when the server refuses a page.
    """

    def __init__(
        self,
        session: Session,
        transmit: Callable[[dict[str, Any]], None],
        call: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]],
        on_refused: Callable[[CommandFailed], None],
    ) -> None:
        self._session = session
        self._transmit = transmit
        self._call = call
        self._on_refused = on_refused
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.online = False

    def stop(self) -> None:
        """Acknowledge no more."""
        self.online = False
        self._disarm()

    def catch_up(self) -> None:
        """Ask for the next page when there is something behind and nothing in hand."""
        session = self._session
        if self.online and session.wants_page:
            session.syncing = True
            session.acked = session.seen
            self._task = asyncio.create_task(self._sync(session.seen))

    def acknowledge_soon(self) -> None:
        """Acknowledge now when enough was consumed, else in a moment."""
        behind = (self._session.safe or 0) - self._session.acked
        if behind >= ACK_EVENTS:
            self.acknowledge()
        elif behind > 0 and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(ACK_SECONDS, self.acknowledge)

    def acknowledge(self) -> None:
        """Acknowledge what was consumed."""
        self._disarm()
        session = self._session
        if self.online and session.safe is not None and session.safe > session.acked:
            session.acked = session.safe
            self._transmit({"op": "ack", "seq": session.safe})

    async def _sync(self, after: int) -> None:
        try:
            await self._call({"op": "sync", "after": after, "limit": PAGE_EVENTS})
        except Disconnected:
            pass  # the next line starts with a page
        except CommandFailed as error:
            self._on_refused(error)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
