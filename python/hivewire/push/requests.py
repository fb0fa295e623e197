"""A push as the HTTP call that delivers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hivewire.core.entries import Rejection
from hivewire.push.payload import body_of, encode, payload_of
from hivewire.push.signing import HEADER, sign
from hivewire.push.transport import Outcome, Request
from hivewire.store import keys, pushes
from hivewire.store.pushes import Registration

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.config.push import Push as Settings
    from hivewire.core.commands import PushRegister
    from hivewire.push.outlook import Job
    from hivewire.push.webpush import WebPush
    from hivewire.store import Store

WEBPUSH_BYTES: Final = 3993
"""RFC 8291, section 4: one record of 4096 bytes, its header and tag included."""
WEBHOOK_GONE: Final = frozenset({410})
NOT_SET_UP: Final = Outcome("dead", "no longer in the settings")
NEEDLESS: Final = Outcome("needless", "recalled")


class Requests:
    """Makes calls of jobs, by the kind of their registration.

    Args:
        settings: Those of pushes.
        store: Where messages are read.
        webpush: The other kind, if it is on.
        wall_s: The time of day.
    """

    def __init__(
        self, settings: Settings, store: Store, webpush: WebPush | None, wall_s: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._store = store
        self._webpush = webpush
        self._wall_s = wall_s
        secrets = (settings.webhook_secret, settings.webhook_secret_old)
        self._secrets = [secret.get_secret_value().encode() for secret in secrets if secret]

    def registration(self, command: PushRegister, now_ms: int) -> Registration | Rejection:
        """What a client asks for, if it may have it."""
        if command.kind == "webhook":
            if command.endpoint not in self._settings.webhooks:
                return Rejection("forbidden", "there is no such webhook", "endpoint")
            if command.token is None:
                return Rejection("bad_request", "`token` is missing", "token")
            return Registration("webhook", command.endpoint, now_ms, token=command.token)
        if self._webpush is None:
            return Rejection("unsupported", "this node has no Web Push", "kind")
        if command.p256dh is None or command.auth is None:
            field = "auth" if command.p256dh else "p256dh"
            return Rejection("bad_request", f"`{field}` is missing", field)
        refusal = self._webpush.refusal(command.endpoint, command.p256dh)
        return refusal or Registration(
            "webpush", command.endpoint, now_ms, p256dh=command.p256dh, auth=command.auth
        )

    def of(self, job: Job) -> Request | Outcome:
        """The call of a job; the outcome, if it needs none."""
        settings, registration = self._settings, job.registration
        body = None
        if job.push.what == pushes.MESSAGE:
            row = keys.prefix(job.push.conv) + keys.position(job.push.n)
            value = self._store.get(self._store.columns.messages, row)
            body = None if value is None else body_of(keys.message_body(value))
            if body is None or body.recalled is not None:
                return NEEDLESS
        payload = payload_of(job, body, self._store.epoch, settings)
        if registration.kind == "webpush":
            if self._webpush is None:
                return NOT_SET_UP
            content = encode(payload)
            if len(content) > WEBPUSH_BYTES:
                # What must be escaped takes more than its own size.
                content = encode({**payload, "text": "", "cut": True})
            return self._webpush.request(registration, content, urgent=body is not None)
        url = settings.webhooks.get(registration.endpoint)
        if url is None or not self._secrets:
            return NOT_SET_UP
        content = encode({**payload, "token": registration.token})
        headers = {
            "Content-Type": "application/json",
            HEADER: sign(content, self._secrets, int(self._wall_s())),
        }
        return Request(url, headers, content, guarded=False, gone=WEBHOOK_GONE)
