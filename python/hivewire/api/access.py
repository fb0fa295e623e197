"""Who calls: a user by his token, a server by the API key (protocol, section 9)."""

from __future__ import annotations

import asyncio
import hmac
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hivewire.api.errors import ApiError
from hivewire.auth import Identity, KeyWanted, Refused
from hivewire.handlers.admission import NO_KEYS
from hivewire.hooks.values import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Headers

    from hivewire.handlers import Services
    from hivewire.hooks.bridge import Bridge
    from hivewire.hooks.runner import Outcome

DEVICE: Final = "http"
"""The device of calls that name none and whose token is bound to none."""


class Access:
    """Judges what requests show.

    Args:
        services: The node, with its verifier and its application.
        clock_ms: The wall clock, in milliseconds.
    """

    def __init__(self, services: Services, clock_ms: Callable[[], int]) -> None:
        self._services = services
        self._clock_ms = clock_ms
        key = services.settings.api.key
        self._key = None if key is None else key.get_secret_value().encode()

    async def user(self, headers: Headers) -> Identity:
        """Whose token the request carries. Raises ApiError (401)."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise ApiError("unauthorized", "a token is needed: `Authorization: Bearer …`")
        now = self._clock_ms() // 1000
        hooks = self._services.hooks
        try:
            if hooks is not None and hooks.authenticates:
                return await self._ask(hooks, token, now)
            return await self._verify(token, now)
        except Refused as refused:
            raise ApiError("unauthorized", str(refused)) from None

    async def _verify(self, token: str, now: int) -> Identity:
        """Judge a token by the settings' keys. Raises Refused, or ApiError if there are none."""
        verify = self._services.verifier.verify
        try:
            return verify(token, now)
        except KeyWanted as wanted:
            found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._services.fetch_keys(wanted.source, partial(_settle, found))
        if not await found:
            raise ApiError.of(NO_KEYS)
        try:
            return verify(token, now)
        except KeyWanted:
            raise Refused from None

    async def _ask(self, hooks: Bridge, token: str, now: int) -> Identity:
        """Ask the application who that is. Raises Refused, or ApiError if it has no answer."""
        settled: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        hooks.authenticate(Credentials(token, None), now, partial(_settle, settled))
        outcome = await settled
        if outcome.rejection is not None and not outcome.refused:
            raise ApiError.of(outcome.rejection)
        identity = outcome.value
        if not isinstance(identity, Identity) or identity.expires <= now:
            raise Refused
        return identity

    def server(self, headers: Headers) -> None:
        """See that the request carries the API key. Raises ApiError (401)."""
        shown = headers.get("x-api-key", "").encode()
        if self._key is None or not hmac.compare_digest(shown, self._key):
            raise ApiError("unauthorized", "the API key was refused")


def _settle(future: asyncio.Future[Any], value: object) -> None:
    """Whoever waited may have gone."""
    if not future.done():
        future.set_result(value)


def device_of(identity: Identity, wanted: str | None) -> str:
    """The device that a call is made with. Raises ApiError (403) if the token is another's."""
    if identity.device is None:
        return wanted or DEVICE
    if wanted not in (None, identity.device):
        raise ApiError("forbidden", "the token is bound to another device", field="device")
    return identity.device
