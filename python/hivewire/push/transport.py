"""Calls to receivers and push services: bounded in time and size, never to an address inside.

A name that a client gave is resolved here, looked at, and called by the address that was looked at:
another answer of the name server a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import httpx

from hivewire.push.endpoints import is_public

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

CLIENTS: Final = 256
"""Hosts to which connections are kept; one more and the oldest is let go."""
KEEP_ALIVE_S: Final = 30
LONGEST_WAIT_MS: Final = 3_600_000
"""A `Retry-After` counts up to this."""
TRY_LATER: Final = frozenset({408, 409, 425, 429})
GONE: Final = frozenset({404, 410})


class Request(NamedTuple):
    """One call."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    guarded: bool
    """Whether a client gave the URL, so that it must not lead inside."""
    gone: frozenset[int]
    """Statuses that say that the device is gone for good."""


class Outcome(NamedTuple):
    """What came of it."""

    result: Literal["ok", "retry", "dead", "gone", "needless"]
    """Delivered; to be tried again; never to be; the device is gone; nothing to tell any more."""
    said: str = ""
    """The receiver's answer, or what went wrong."""
    after_ms: int = 0
    """The receiver asked for at least this wait."""


class Refused(Exception):
    """A name leads inside."""


class Transport:
    """The HTTP clients of one node, one a host.

    Args:
        timeout_ms: For a whole call.
        concurrency: Connections to one host.
        wall_s: The time of day, for `Retry-After` that is a date.
    """

    def __init__(self, timeout_ms: int, concurrency: int, wall_s: Callable[[], float]) -> None:
        self._timeout_s = timeout_ms / 1000
        self._limits = httpx.Limits(
            max_connections=concurrency,
            max_keepalive_connections=concurrency,
            keepalive_expiry=KEEP_ALIVE_S,
        )
        self._wall_s = wall_s
        self._tls: ssl.SSLContext | None = None
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def post(self, request: Request) -> Outcome:
        """Make a call. Whatever goes wrong is an outcome."""
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._post(request)
        except TimeoutError:
            return Outcome("retry", "no answer in time")
        except Refused as refused:
            return Outcome("dead", str(refused))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return Outcome("retry", f"{type(error).__name__}: {error}"[:200])
        return self._judge(response, request)

    async def close(self) -> None:
        """Let go of all connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _post(self, request: Request) -> httpx.Response:
        url = httpx.URL(request.url)
        headers = {"User-Agent": "hivewire", **request.headers}
        extensions: dict[str, str] = {}
        host = url.host
        if request.guarded:
            headers["Host"] = url.netloc.decode()
            extensions["sni_hostname"] = host
            url = url.copy_with(host=await public_address(host, url.port or 443))
        client = await self._client(host)
        async with client.stream(
            "POST", url, content=request.body, headers=headers, extensions=extensions
        ) as response:
            # Its status is all we want to know: a body of any size is not read.
            return response

    async def _client(self, host: str) -> httpx.AsyncClient:
        """The client of a host. Connections are to addresses, and must not be another name's."""
        client = self._clients.get(host)
        if client is None:
            if self._tls is None:
                self._tls = httpx.create_ssl_context()
            if len(self._clients) >= CLIENTS:
                await self._clients.pop(next(iter(self._clients))).aclose()
            client = self._clients[host] = httpx.AsyncClient(
                verify=self._tls,
                limits=self._limits,
                timeout=None,  # noqa: S113 - there is one around the whole call
                follow_redirects=False,
                trust_env=False,
            )
        return client

    def _judge(self, response: httpx.Response, request: Request) -> Outcome:
        status = response.status_code
        said = f"HTTP {status}"
        if response.is_success:
            return Outcome("ok", said)
        if status in request.gone:
            return Outcome("gone", said)
        if status in TRY_LATER or response.is_server_error:
            return Outcome("retry", said, self._retry_after(response.headers.get("Retry-After")))
        return Outcome("dead", said)

    def _retry_after(self, value: str | None) -> int:
        """RFC 9110, 10.2.3: seconds or a date, as ms from now."""
        if value is None:
            return 0
        try:
            seconds = float(value) if value.isdecimal() else self._until(value)
        except ValueError:
            return 0
        return int(min(max(seconds * 1000, 0), LONGEST_WAIT_MS))

    def _until(self, date: str) -> float:
        return parsedate_to_datetime(date).timestamp() - self._wall_s()


async def public_address(host: str, port: int) -> str:
    """An address of a host, all of which are outside. Raises Refused or OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(map(is_public, addresses)):
        raise Refused(f"{host} has an address that is not public")
    return addresses[0]
