"""A line between a client and a shard: it delays, it fills up, it is cut, it falls silent.

Both directions keep their order. What is under way when a line is cut may arrive or not; what is
under way on a line that falls silent (a phone in a tunnel, a router that forgot) never does, and
neither end is told.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from tests.sim.loop import MS

if TYPE_CHECKING:
    from tests.sim.loop import Schedule


class End(Protocol):
    """Who sits at an end of a line."""

    def receive(self, frame: bytes) -> None: ...

    def lost(self, code: int) -> None:
        """The line has ended: its close code, 1006 if there was none."""
        ...


class ServerEnd(End, Protocol):
    def writable(self) -> None: ...


class Wire:
    """One connection. `client` and `server` are its ends; a frame is one WebSocket message."""

    def __init__(self, schedule: Schedule, client: End, window: int) -> None:
        self.schedule = schedule
        self.window = window
        """Bytes that the server may have under way before its socket blocks: both kernels' room."""
        self.client = client
        self.server: ServerEnd | None = None
        self.silent = False
        rng = schedule.rng
        self.base = rng.choice((MS // 10, MS, 10 * MS, 40 * MS))
        self._open = True
        self._last_up = self._last_down = 0
        self._under_way = 0
        self._unread: deque[tuple[bytes, ...]] = deque()
        self.paused = False
        self._client_gone = self._server_gone = False

    def delay(self) -> int:
        return self.base + int(self.schedule.rng.random() * self.base)

    # -- the client's end ------------------------------------------------------------------------

    def up(self, frame: bytes) -> None:
        """The client sends a message."""
        if self._client_gone:
            return
        self._last_up = max(self._last_up + 1, self.schedule.now + self.delay())
        self.schedule.at(self._last_up, self._arrive_up, frame)

    def pause(self) -> None:
        """The client reads nothing for now."""
        self.paused = True

    def go_on(self) -> None:
        self.paused = False
        while self._unread and not self.paused:
            self._read(self._unread.popleft())

    def leave(self, *, abort: bool) -> None:
        """The client is done with this line. An abort takes along what it had under way."""
        if self._client_gone:
            return
        self._client_gone = True
        self._unread.clear()
        if abort and self.schedule.chance(0.5):
            self._open = False
        self._last_up = max(self._last_up + 1, self.schedule.now + self.delay())
        self.schedule.at(self._last_up, self._end_server, 1006 if abort else 1000)

    def fall_silent(self) -> None:
        """From here on nothing gets through, in either direction, and nobody is told."""
        self.silent = True

    # -- the server's end ------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes that the server's socket takes at this moment."""
        return self.window - self._under_way

    def down(self, frames: tuple[bytes, ...]) -> None:
        """The server's socket takes these messages in one write."""
        if self._server_gone:
            return
        self._under_way += sum(map(len, frames))
        self._last_down = max(self._last_down + 1, self.schedule.now + self.delay())
        self.schedule.at(self._last_down, self._arrive_down, frames)

    def end(self, code: int) -> None:
        """The server has closed, and all that it wrote before arrives."""
        if not self._server_gone:
            self._server_gone = True
            self._last_down = max(self._last_down + 1, self.schedule.now + self.delay())
            self.schedule.at(self._last_down, self._end_client, code)

    def break_off(self) -> None:
        """The server's process is gone; of what it wrote some may still arrive."""
        if self.schedule.chance(0.5):
            self._open = False
        self.end(1006)

    # -- in between ------------------------------------------------------------------------------

    def _arrive_up(self, frame: bytes) -> None:
        if self._open and not self.silent and not self._server_gone and self.server is not None:
            self.server.receive(frame)

    def _arrive_down(self, frames: tuple[bytes, ...]) -> None:
        if not self._open or self.silent or self._client_gone:
            return
        if self.paused:
            self._unread.append(frames)
        else:
            self._read(frames)

    def _read(self, frames: tuple[bytes, ...]) -> None:
        self._under_way -= sum(map(len, frames))
        for frame in frames:
            if not self._client_gone:
                self.client.receive(frame)
        if not self._server_gone and self.server is not None:
            self.server.writable()

    def _end_server(self, code: int) -> None:
        if not self.silent and not self._server_gone and self.server is not None:
            self._server_gone = True
            self.server.lost(code)

    def _end_client(self, code: int) -> None:
        if not self.silent and not self._client_gone:
            self.go_on()
            if not self._client_gone:
                self._client_gone = True
                self.client.lost(code)
