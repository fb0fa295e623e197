"""Lines to the server, one after the other: opened, kept, opened again when they are lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any, Final

from hivewire.client.backoff import Backoff
from hivewire.client.connection import ABNORMAL, Connection, Encoding, Refused
from hivewire.client.errors import Closed, CommandFailed, Disconnected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from ssl import SSLContext

CONNECT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
TICKET_REFUSED: Final = 4002
# protocol.md section 8: after these come back; 1005 is a Close frame without a code.
RETURN_CODES: Final = frozenset({1001, 1005, 1006, 1011, 1012, 1013, *range(4000, 4500)})


class Lines:
    """The line to the server, whichever it is at the moment.

    It comes back with the ticket of the last `connected`, with the token when the server does not
    take the ticket any more, and not at all when the server says not to.

    Args:
        url: `ws://…/v1/ws` or `wss://…/v1/ws`; a `bye` may give another.
        token: proves who this is when there is no ticket: a token, or what fetches a fresh one.
        encoding: JSON or MessagePack.
        hello: the `connect` for the next line, without the proof.
        call: asks something of this line.
        receive: called with each object that arrives.
        on_lost: called when a line that was connected ends; true if it ended without a word.
        ssl: what `wss://` trusts; None: what the machine does.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], Awaitable[str]],
        encoding: Encoding,
        *,
        hello: Callable[[], dict[str, Any]],
        call: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]],
        receive: Callable[[dict[str, Any]], None],
        on_lost: Callable[[bool], None],
        ssl: SSLContext | None = None,
    ) -> None:
        self._ssl = ssl
        self._url = url
        self._encoding = encoding
        self._hello = hello
        self._call = call
        self._receive = receive
        self._on_lost = on_lost
        self._backoff = Backoff()
        self._connection: Connection | None = None
        self._ticket: str | None = None
        self._token = token
        self._hurry = asyncio.Event()
        self.online = False

    async def open(self) -> Connection:
        """Open a line and connect on it.

        Raises ConnectionError, Closed, CommandFailed, and whatever fetching a token raises.
        """
        proof = await self._proof()
        connection = await Connection.open(self._url, self._encoding, self._receive, self._ssl)
        self._connection = connection
        answering = asyncio.ensure_future(self._call({"op": "connect", **proof, **self._hello()}))
        ended = asyncio.ensure_future(connection.wait_ended())
        try:
            await asyncio.wait(
                (answering, ended), timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if answering.done():
                answering.result()
                return connection
            if not ended.done():
                raise ConnectionError(f"{self._url}: no answer to connect")
            self._check_may_return(*ended.result())
        finally:
            ended.cancel()
            answering.cancel()
            if not self.online:
                connection.abort()
        raise ConnectionError(f"{self._url}: closed before connected")

    async def stay(self, connection: Connection | None) -> None:
        """Keep a line, for ever; None to begin without one.

        Raises Closed or CommandFailed when the server wants no more.
        """
        if connection is None:
            connection = await self._reopen(at_once=True)
        while True:
            code, reason = await connection.wait_ended()
            self.online = False
            self._backoff.on_lost(asyncio.get_running_loop().time())
            self._on_lost(code == ABNORMAL)
            self._check_may_return(code, reason)
            connection = await self._reopen()

    async def close(self) -> None:
        """Say goodbye, and wait a little for the answer."""
        if self._connection is not None:
            self._connection.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._connection.wait_ended(), CLOSE_SECONDS)

    def on_connected(self, answer: dict[str, Any]) -> None:
        """The server has taken us."""
        self._ticket = answer.get("ticket")
        self._backoff.on_connected(asyncio.get_running_loop().time())
        self.online = True

    def on_refreshed(self, token: str, answer: dict[str, Any]) -> None:
        """The server has taken a newer token."""
        if isinstance(self._token, str):
            self._token = token
        self._ticket = answer.get("ticket")

    def on_bye(self, bye: dict[str, Any]) -> None:
        """The server says where and when to come back."""
        self._backoff.on_bye(bye)
        self._url = bye.get("url") or self._url

    def send(self, message: dict[str, Any]) -> None:
        """Write one object; silently nothing without a line."""
        if self._connection is not None:
            self._connection.send(message)

    def hurry(self) -> None:
        """Do not wait any longer before the next try."""
        self._hurry.set()

    def cut(self) -> None:
        """The line is dead: end it here, so that a new one is tried."""
        if self._connection is not None:
            self._connection.abort()

    async def _proof(self) -> dict[str, str]:
        """What the next `connect` says to show who this is."""
        if self._ticket:
            return {"ticket": self._ticket}
        token = self._token
        return {"token": token if isinstance(token, str) else await token()}

    async def _reopen(self, *, at_once: bool = False) -> Connection:
        """Try until there is a line. Raises Closed, CommandFailed."""
        while True:
            wait = 0.0 if at_once else self._backoff.wait(random.random())  # noqa: S311 - spreads clients
            at_once = False
            await self._pause(wait)
            try:
                return await self.open()
            except Refused as error:
                self._backoff.on_refused(error.retry_after)
            except (OSError, Disconnected):
                continue
            except CommandFailed as error:
                if not error.retryable:
                    raise

    async def _pause(self, seconds: float) -> None:
        """Wait, unless somebody knows that the network is back."""
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    def _check_may_return(self, code: int, reason: str) -> None:
        """A line has ended: for good, or to be tried again, perhaps with the token."""
        if code not in RETURN_CODES:
            raise Closed(code, reason)
        if code == TICKET_REFUSED:
            self._ticket = None
