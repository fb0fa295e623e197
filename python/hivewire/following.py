"""The log of single connections and messages: what one of them met, a line each.

`connection` is what `connected.session` and `server/connections` call it. A node that is not asked
for these lines has neither `ConnectionLog` nor `MessageLog`: all that is left on the way of a
message is a look whether they are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hivewire.config.sections import Log

REASON_CHARACTERS: Final = 300
"""Of a refusal's reason, so many are written: an application may say anything."""
OF_A_COMMAND: Final = ("to", "conv", "n", "key")
"""Fields of a command that say what it is about."""


class Speaker(Protocol):
    """Who sent a command."""

    conn: int
    user: str | None
    device: str | None
    doing: Any


class Placed(Protocol):
    """A message, or another event, that has its place in a conversation."""

    conv: str
    n: int
    key: str


class Marked(Protocol):
    """A user has durably got, or read, a conversation up to these places."""

    user: str
    conv: str
    delivered: int
    read: int


def connection_id(conn: int) -> str:
    """A connection as everybody outside of the node gets to see it."""
    return f"{conn:x}"


def logs_of(
    settings: Log, codes: Mapping[str, int]
) -> tuple[ConnectionLog | None, MessageLog | None]:
    """What these settings ask for. `codes` are the close codes by name."""
    debug = settings.level == "debug"
    connections = ConnectionLog(settings, codes) if settings.connections or debug else None
    return connections, MessageLog() if debug else None


class ConnectionLog:
    """How connections begin and end: at `info` if `log.connections` is on, else at `debug`."""

    def __init__(self, settings: Log, codes: Mapping[str, int]) -> None:
        log = structlog.get_logger(__name__).bind()
        self._say = log.info if settings.connections else log.debug
        self._names = {code: name.lower() for name, code in codes.items()}
        self._replaced: dict[int, tuple[str, str]] = {}
        """Whose those connections are that a newer one of the device has replaced, until they end:
        the engine knows only the newer one by then."""

    def connected(self, conn: int, user: str, device: str, kind: str) -> None:
        """A device has come: `kind` is `new`, `resumed` or `reset`."""
        connection = connection_id(conn)
        self._say("connected", connection=connection, user=user, device=device, kind=kind)

    def replaced(self, conn: int, user: str, device: str) -> None:
        """A newer connection of the device takes the place of this one."""
        self._replaced[conn] = user, device

    def closing(self, caller: Speaker, code: int, reason: str) -> None:
        """The node ends a connection, and tells it why."""
        if caller.conn > 0:
            named = self._names.get(code)
            self._say("closing", **who(caller), code=code, name=named, reason=reason)

    def closed(self, conn: int, user: str | None, device: str | None, code: int) -> None:
        """A connection is gone, by whichever side; without a user another has its session."""
        before = self._replaced.pop(conn, None)
        if user is None and before is not None:
            user, device = before
        connection = connection_id(conn)
        who = {} if user is None else {"user": user, "device": device}
        self._say("closed", connection=connection, **who, code=code, name=self._names.get(code))


class MessageLog:
    """What becomes of commands and of the messages they make, at `debug`."""

    def __init__(self) -> None:
        self._say = structlog.get_logger(__name__).bind().debug

    def accepted(self, entry: Placed, command_id: int, caller: Speaker) -> None:
        """A message, or another event, has its place, and is on its way to the disk."""
        place = {"conv": entry.conv, "n": entry.n, "key": entry.key}
        self._say("accepted", **who(caller), id=command_id, **place)

    def repeated(self, conv: str, n: int, command_id: int, caller: Speaker) -> None:
        """A command came again; it has the place that it had."""
        known = {"conv": conv, "n": n, "key": _about(command_id, caller).get("key")}
        self._say("repeated", **who(caller), id=command_id, **known)

    def refused(
        self, op: str | None, command_id: int | None, code: str, reason: str, caller: Speaker
    ) -> None:
        """A command was answered with an error."""
        about = _about(command_id, caller)
        why = {"code": code, "reason": reason[:REASON_CHARACTERS]}
        named = None if op is None else op[:REASON_CHARACTERS]
        self._say("refused", **who(caller), op=named, id=command_id, **about, **why)

    def pushed(self, about: Mapping[str, object], result: str, said: str) -> None:
        """A push has ended well, or is to be tried again."""
        self._say("pushed", **about, result=result, said=said)

    def shown(self, entries: Iterable[Placed], marks: Iterable[Marked]) -> None:
        """These are on the disk, and were handed to every connected device."""
        for entry in entries:
            self._say("shown", conv=entry.conv, n=entry.n, key=entry.key)
        for mark in marks:
            places = {"delivered": mark.delivered, "read": mark.read}
            self._say("marked", conv=mark.conv, user=mark.user, **places)


def who(caller: Speaker) -> dict[str, Any]:
    """Connection or request, user and device, as far as they are known."""
    found: dict[str, Any] = {}
    if caller.conn > 0:
        found["connection"] = connection_id(caller.conn)
    request = getattr(caller, "request", None)
    if request is not None:
        found["request"] = request
    if caller.user is not None:
        found |= {"user": caller.user, "device": caller.device}
    return found


def _about(command_id: int | None, caller: Speaker) -> dict[str, Any]:
    """What the command is about, if it is still at hand."""
    command = caller.doing
    if command is None or getattr(command, "id", None) != command_id:
        return {}
    given = ((name, getattr(command, name, None)) for name in OF_A_COMMAND)
    return {name: value for name, value in given if value is not None}
