"""How verbs reach the server; what all of them raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Asking(ABC):
    """A client as its verbs see it.

    Every verb waits for its answer, over as many lines as that takes, and may raise:

    - CommandFailed: the server refused it; `code` tells why.
    - Closed: the client ended first. Whether a change was made is unknown; its key tells later.

    Fields that are None do not go out.
    """

    @abstractmethod
    async def ask(self, op: str, **fields: object) -> dict[str, Any]:
        """Wait for the answer to a command, as it came."""

    @abstractmethod
    def say(self, op: str, **fields: object) -> None:
        """Give a command that has no answer and is worth nothing later: dropped while offline."""
