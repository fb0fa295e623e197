"""Who sent a command, as long as anything of it is under way."""

from __future__ import annotations

from typing import Any, Final

SERVER: Final = -1
"""The line of who calls with the API key: he is under no rates. Below are the lines of users who
call over HTTP; the engine has no connection with a number below zero."""


class Caller:
    """Who sent a command: lives as long as the commands of one read, not as the connection."""

    __slots__ = (
        *("busy", "conn", "device", "doing", "encoding", "gone", "parked", "replaced", "token"),
        *("user", "weight"),
    )

    def __init__(
        self, conn: int, user: str | None, device: str | None, encoding: int, token: str | None
    ) -> None:
        self.conn = conn
        self.user = user
        """None until it has connected."""
        self.device = device
        self.encoding = encoding
        self.token = token
        """Of the upgrade request; the first found wins."""
        self.busy = False
        """Whether a command of it waits for its answer, so that the next has to wait too."""
        self.doing: Any = None
        """The command it is busy with; None while it waits for its outbox."""
        self.gone = False
        """Whether the connection has ended: what it said is done, but nobody hears the answers."""
        self.replaced = False
        """Whether a newer connection of its device has ended it: its acks no longer count."""
        self.weight = 0
        """Bytes of pages that it was given and may not have read."""
        self.parked: list[Any] = []
        """Commands that wait until it is no longer busy."""
