"""A connection of the api listener: uvicorn's, with an end to its patience.

uvicorn waits for ever for the rest of a request's head, and for a client that does not read. Here
both have a time, so nobody holds a place in `api.connections` for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

STALL_S: Final = 60.0
"""A client that reads nothing for so long is cut; 64 KiB in that time is enough to go on."""


class Line(H11Protocol):
    """One connection. `line_class` sets `head_s`."""

    head_s: float = 10.0
    """From the opening, or the first byte of a later request, to the end of a request's head."""
    stall_s: float = STALL_S
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The client has a while to say something."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Whoever has begun with a request has to end its head in time."""
        super().data_received(data)
        # Before the first request there is none, whatever its type says.
        cycle: RequestResponseCycle | None = self.cycle
        if not cycle or cycle.response_complete:
            self._expect_head()
        else:
            self._head_timer = cancelled(self._head_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected of it any more."""
        super().connection_lost(exc)
        self._head_timer = cancelled(self._head_timer)
        self._stall_timer = cancelled(self._stall_timer)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._stall_timer = cancelled(self._stall_timer)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came after an answer; closing waits until that has been read."""
        super().timeout_keep_alive_handler()
        self._expect_reading()

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self.transport.abort)

    def _expect_reading(self) -> None:
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(self.stall_s, self.transport.abort)


def cancelled(timer: asyncio.TimerHandle | None) -> None:
    """Cancel a timer that may be there; what stands in its place is None."""
    if timer is not None:
        timer.cancel()


def line_class(head_ms: int, stall_s: float = STALL_S) -> type[Line]:
    """Connections whose heads have to come in time."""
    return type("Line", (Line,), {"head_s": head_ms / 1000, "stall_s": stall_s})
