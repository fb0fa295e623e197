"""Who may come in, and until when: tokens; the application's `authenticate` and `on_connect`.

Both hooks, and a fetch of keys, hold the connection's next command until they are settled. What
they refuse, or do not answer in time, ends the connection; nobody else notices.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hivewire.auth import KeyWanted, Refused
from hivewire.core.entries import Rejection
from hivewire.handlers.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.auth import Identity
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services
    from hivewire.hooks.bridge import Bridge
    from hivewire.hooks.runner import Outcome
    from hivewire.hooks.values import Credentials, Session

COME_BACK = "nobody could say: come back"
NO_KEYS = Rejection(
    "unavailable", "the keys of the issuer cannot be fetched", retryable=True, retry_after_ms=5_000
)
LAST_SECOND = 0xFFFF_FFFF
"""The engine counts seconds in 32 bits, until 2106; a token that lives longer is asked for then."""


def authenticate(
    bridge: Bridge,
    credentials: Credentials,
    caller: Caller,
    services: Services,
    then: Callable[[Identity | Rejection | None], None],
) -> None:
    """Ask the application who shows this token; `then` gets its word: None is nobody.

    A rejection is for want of an answer, and not the client's fault.
    """
    asked_at = services.now_ms

    def settled(outcome: Outcome) -> None:
        caller.busy = False
        if outcome.rejection is not None and not outcome.refused:
            then(outcome.rejection)
        else:
            identity: Identity | None = outcome.value
            if identity is None or identity.expires * 1000 <= services.now_ms:
                then(None)
            else:
                # The application knows what it has revoked; the node, what was revoked since.
                then(replace(identity, issued=asked_at))
        if not caller.busy:
            services.resume(caller)

    caller.busy = True
    bridge.authenticate(credentials, services.now_ms // 1000, settled, caller)


def verify(
    token: str,
    caller: Caller,
    services: Services,
    then: Callable[[Identity | Rejection | None], None],
) -> None:
    """Judge a token by the settings' keys; `then` gets the verdict: None is nobody.

    If its key must be fetched first, only this connection waits.
    """
    try:
        identity = services.verifier.verify(token, services.now_ms // 1000)
    except Refused:
        then(None)
    except KeyWanted as wanted:
        wait_for_key(wanted, token, caller, services, then)
    else:
        then(identity)


def wait_for_key(
    wanted: KeyWanted,
    token: str,
    caller: Caller,
    services: Services,
    then: Callable[[Identity | Rejection | None], None],
) -> None:
    """Go on with a token when the keys of its issuer are there, or cannot be had."""

    def settled(found: bool) -> None:  # noqa: FBT001 - a callback's only word
        services.act(partial(go_on, found=found))

    def go_on(*, found: bool) -> None:
        caller.busy = False
        if caller.gone:
            return
        verdict: Identity | Rejection | None = None
        if found:
            with contextlib.suppress(Refused, KeyWanted):
                verdict = services.verifier.verify(token, services.now_ms // 1000)
        else:
            verdict = NO_KEYS
        then(verdict)
        if not caller.busy:
            services.resume(caller)

    caller.busy = True
    services.fetch_keys(wanted.source, settled)


def shut(word: Rejection | None, command_id: int, caller: Caller, services: Services) -> None:
    """End a connection whose token was refused (None), or could not be judged."""
    codes, delivery = services.close_codes, services.delivery
    if word is not None:
        turn_away(word, command_id, caller, services)
        return
    services.metrics.commands["connect", "unauthorized"] += 1
    delivery.close(caller, codes["BAD_TOKEN"], Refused.TEXT)


def greet(
    bridge: Bridge,
    session: Session,
    command_id: int,
    caller: Caller,
    services: Services,
    then: Callable[[], None],
) -> None:
    """Ask the application whether a device may connect; `then` goes on with it if so."""

    def settled(outcome: Outcome) -> None:
        caller.busy = False
        word = outcome.rejection
        if word is None:
            then()
        elif outcome.refused:
            services.metrics.commands["connect", "forbidden"] += 1
            services.delivery.close(caller, services.close_codes["FORBIDDEN"], word.message)
        else:
            turn_away(word, command_id, caller, services)
        if not caller.busy:
            services.resume(caller)

    caller.busy = True
    bridge.greet(session, settled)


def turn_away(word: Rejection, command_id: int, caller: Caller, services: Services) -> None:
    """Nobody's fault but ours: an `error`, then 4006, after which the client comes back."""
    refuse(word, command_id, "connect", caller, services)
    services.delivery.close(caller, services.close_codes["SERVER_ERROR"], COME_BACK)


def stays_until(expires: int, services: Services) -> int:
    """Until when a line may stay whose token ends at `expires`; Unix seconds.

    One that has ended within the leeway may stay as long as the leeway lasts.
    """
    if expires * 1000 <= services.now_ms:
        expires += services.settings.auth.leeway // 1000
    return min(expires, LAST_SECOND)
