"""What the application asked for once and a new line must be told again, without any I/O.

`open`, `watch` and `status` end with their line (protocol.md section 6). An application means them
for as long as it runs, so each new line begins with the commands that bring them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Standing:
    """Opened channels, watched users and the device's state.

    Only what the server has accepted stands; what it refuses on a new line (a channel that one was
    removed from meanwhile) stands no more.
    """

    def __init__(self) -> None:
        # Sets with an order: a new line is told in the order of the application.
        self._opened: dict[str, None] = {}
        self._watched: dict[str, None] = {}
        self._status: str | None = None

    def opened(self, conv: str) -> None:
        """The channel is open."""
        self._opened[conv] = None

    def closed(self, conv: str) -> None:
        """The channel is not open any more."""
        self._opened.pop(conv, None)

    def watched(self, users: Iterable[str]) -> None:
        """These users are watched, besides the others."""
        self._watched.update(dict.fromkeys(users))

    def unwatched(self, users: Iterable[str]) -> None:
        """These users are watched no more."""
        for user in users:
            self._watched.pop(user, None)

    def status(self, state: str) -> None:
        """This is how present the device shows its user."""
        self._status = state

    def commands(self) -> list[dict[str, Any]]:
        """What to tell a new line."""
        commands: list[dict[str, Any]] = []
        if self._status is not None:
            commands.append({"op": "status", "state": self._status})
        if self._watched:
            commands.append({"op": "watch", "users": list(self._watched)})
        commands += [{"op": "open", "conv": conv} for conv in self._opened]
        return commands

    def on_answer(self, command: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
        """What one of these commands brought, as the push that tells the application of it."""
        if command["op"] == "watch":
            return {"op": "presence", "changes": answer.get("changes", [])}
        if command["op"] == "open":
            return {"op": "channel", "conv": command["conv"], "head": answer.get("head", 0)}
        return None

    def on_refused(self, command: dict[str, Any]) -> None:
        """The server does not want one of these any more."""
        if command["op"] == "watch":
            self.unwatched(command["users"])
        elif command["op"] == "open":
            self.closed(command["conv"])
        else:
            self._status = None
