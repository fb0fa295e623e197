"""Fetches published keys: in the background before they are old, at once for a key nobody knows.

A fetch is bounded in time and bytes, follows no redirect and has company: whoever wants the same
source meanwhile waits for the same answer. Nothing on the node's way of a message waits for it.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import certifi
import httpx
import structlog

from hivewire.auth.jwks import SET_BYTES, BadKeySet, read_keys
from hivewire.auth.keyring import keyring_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.auth.keyring import Keyring, Source
    from hivewire.config import Settings
    from hivewire.config.jwks import Jwks

    Settled = Callable[[bool], None]

log = structlog.get_logger(__name__)

WAITING: Final = 10_000
"""Clients that wait for one source; what comes then is told to come back."""
EARLY: Final = 0.8
"""Keys are fetched anew after this part of their age, so that they rarely are too old."""
LONGEST_RETRY_S: Final = 60.0
ASKED_FOR: Final = {
    "accept": "application/jwk-set+json, application/json",
    # Uncompressed: a small answer must not become a large one.
    "accept-encoding": "identity",
}
_max_age = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:[\s,]|$)", re.IGNORECASE).search


class PublishedKeys:
    """The keys that the settings say are published, if they do."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.keyring = keyring_of(settings, loop.time)
        self._fetcher: KeyFetcher | None = None
        if self.keyring is not None:
            self._fetcher = KeyFetcher(self.keyring, settings.jwks, loop)

    def start(self) -> None:
        """Begin to fetch them."""
        if self._fetcher is not None:
            self._fetcher.start()

    def fetch(self, source: Source, settled: Settled) -> None:
        """Fetch those of one source; see `KeyFetcher.fetch`."""
        if self._fetcher is not None:
            self._fetcher.fetch(source, settled)

    async def stop(self) -> None:
        """Fetch nothing more; who waits is told that there is nothing, and comes back."""
        if self._fetcher is not None:
            await self._fetcher.stop()

    def hand_over(self) -> list[tuple[str, Any]]:
        """What another node over the same engine may go on with."""
        return [] if self.keyring is None else self.keyring.hand_over()

    def take_over(self, left: list[tuple[str, Any]]) -> None:
        """Go on with what the node before knew, as far as the settings still name it."""
        if self.keyring is not None:
            self.keyring.take_over(left)


class KeyFetcher:
    """Keeps a keyring up to date. Loop thread only.

    Args:
        keyring: What it fills.
        jwks: The section `jwks` of the settings.
        loop: Runs the fetches.
    """

    def __init__(self, keyring: Keyring, jwks: Jwks, loop: asyncio.AbstractEventLoop) -> None:
        self._keyring = keyring
        self._ca = jwks.ca
        self._timeout_s = jwks.timeout / 1000
        self._retry_s = jwks.min_age / 1000
        self._loop = loop
        self._waiting: dict[Source, list[Settled]] = {}
        self._tasks: dict[Source, asyncio.Task[None]] = {}
        self._timers: dict[Source, asyncio.TimerHandle] = {}
        self._failures: dict[Source, int] = {}
        self._tls: ssl.SSLContext | None = None

    def start(self) -> None:
        """Fetch everything, and again and again from now on. Does not wait for it."""
        for source in self._keyring.sources:
            self._begin(source)

    async def stop(self) -> None:
        """Fetch nothing more; who waits is told that there is nothing."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Also of those for whose time nobody has come yet.
        for timer in self._timers.values():
            timer.cancel()
        for source in [*self._waiting]:
            self._settle(source, found=False)

    def fetch(self, source: Source, settled: Settled) -> None:
        """Fetch the keys of a source, or wait for who does; `settled` is told if there are any.

        A source is not asked more often than `min_age` allows: until then everybody waits for the
        next time. Where the last fetch failed a moment ago, who comes is told so at once.
        """
        waiting = self._waiting.get(source, [])
        is_on = source in self._tasks
        wait = 0.0 if is_on else self._keyring.wait(source)
        if len(waiting) >= WAITING or (wait and source.tried_at is not None):
            settled(False)  # noqa: FBT003 - a callback's only word
            return
        self._waiting[source] = waiting
        waiting.append(settled)
        if not is_on and len(waiting) == 1:
            self._begin_in(wait, source)

    def _begin_in(self, seconds: float, source: Source) -> None:
        """Fetch then; what was planned before is not."""
        timer = self._timers.pop(source, None)
        if timer is not None:
            timer.cancel()
        self._timers[source] = self._loop.call_later(seconds, self._begin, source)

    def _begin(self, source: Source) -> None:
        if source not in self._tasks:
            work = self._refresh(source)
            self._tasks[source] = self._loop.create_task(work, name=f"keys of {source.url}")

    async def _refresh(self, source: Source) -> None:
        """One fetch, and what follows from it."""
        found = False
        try:
            keys, max_age_s = await self._read(source)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, BadKeySet) as error:
            self._keyring.missed(source)
            self._failed(source, error)
        else:
            self._keyring.put(source, keys, max_age_s)
            self._succeeded(source)
            found = True
        finally:
            del self._tasks[source]
            self._settle(source, found=found)

    def _settle(self, source: Source, *, found: bool) -> None:
        for settled in self._waiting.pop(source, []):
            settled(found)

    async def _read(self, source: Source) -> tuple[dict[str, Any], float | None]:
        """The keys that a source has now."""
        async with asyncio.timeout(self._timeout_s):
            document, max_age_s = await self._get(source.url)
        keys = read_keys(document, self._keyring.algorithm)
        if not keys:
            raise BadKeySet(f"there is no key for {self._keyring.algorithm}")
        return keys, max_age_s

    async def _get(self, url: str) -> tuple[bytes, float | None]:
        """A document, and for how many seconds it counts if its server says so."""
        async with (
            httpx.AsyncClient(
                verify=await self._context(url), timeout=self._timeout_s, trust_env=False
            ) as client,
            client.stream("GET", url, headers=ASKED_FOR) as response,
        ):
            if response.status_code != 200:
                raise BadKeySet(f"HTTP {response.status_code}")
            document = b""
            async for piece in response.aiter_raw():
                document += piece
                if len(document) > SET_BYTES:
                    raise BadKeySet(f"larger than {SET_BYTES} bytes")
        found = _max_age(response.headers.get("cache-control", ""))
        return document, None if found is None else float(found[1])

    async def _context(self, url: str) -> ssl.SSLContext | bool:
        """What checks the server; made once, in a thread, since it reads a file of authorities."""
        if urlsplit(url).scheme != "https":
            return False
        if self._tls is None:
            authorities = self._ca or certifi.where()
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=authorities)
        return self._tls

    def _succeeded(self, source: Source) -> None:
        if self._failures.pop(source, 0):
            log.info("keys can be fetched again", url=source.url)
        self._begin_in(EARLY * source.max_age, source)

    def _failed(self, source: Source, error: Exception) -> None:
        failures = self._failures[source] = self._failures.get(source, 0) + 1
        if failures == 1 or not self._keyring.counts(source):
            why = str(error) or type(error).__name__
            log.error(
                "keys cannot be fetched",
                url=source.url,
                error=why,
                known_keys_count=self._keyring.counts(source),
            )
        wait = min(self._retry_s * 2 ** min(failures - 1, 10), LONGEST_RETRY_S)
        self._begin_in(wait, source)
