"""Settings of push notifications (docs/push.md)."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from hivewire.config.sections import Names, Section, setting
from hivewire.config.units import Duration, Size  # noqa: TC001 - pydantic reads them at run time

SECRET_BYTES: Final = 32
_CONTACT: Final = re.compile(r"(mailto:[^@\s]+@[^@\s]+|https://\S+)")


def split_pairs(value: object) -> object:
    """`a=b,c=d` from the environment → a dict; tables from the file stay as they are."""
    if isinstance(value, str):
        pairs = (item.partition("=") for item in value.split(",") if item.strip())
        return {name.strip(): url.strip() for name, _, url in pairs}
    return value


Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(split_pairs)]


class Push(Section):
    """Push notifications for users who are away. Off, unless webhooks or Web Push are set."""

    webhooks: Pairs = setting(
        {},
        "Where devices of kind `webhook` are pushed to: names and URLs, `mobile=https://…` with "
        "commas between them. A client registers a name; no client ever gives a URL.",
    )
    webhook_secret: SecretStr | None = setting(
        None,
        "Signs every webhook (HMAC SHA-256): 32 random bytes or more.",
    )
    webhook_secret_old: SecretStr | None = setting(
        None,
        "Signs as well, so that a receiver may still check the old one while a secret is changed.",
    )
    webpush: bool = setting(
        default=False,
        why="Whether browsers may register for Web Push (RFC 8030).",
    )
    webpush_contact: str = setting(
        "",
        "`mailto:` or `https://` of who runs this; the push services want to know (RFC 8292).",
    )
    webpush_key: Path | None = setting(
        None,
        "The private key of VAPID, a PEM file of P-256. Unset, one is made in the data directory: "
        "`vapid.pem`. Browsers are bound to it: with another one all must register again.",
    )
    webpush_hosts: Names = setting(
        (
            *("fcm.googleapis.com", "updates.push.services.mozilla.com"),
            *("web.push.apple.com", "*.notify.windows.com"),
        ),
        "Hosts of push services that a browser may name; `*.` stands for one or more labels.",
        more="The node calls whatever these hosts are.",
    )
    webpush_private: bool = setting(
        default=False,
        why="Whether push services may have private addresses and plain HTTP: for tests and closed "
        "networks. Off, no client can make the node call something inside.",
    )
    hold: Duration = setting(
        "3s",
        "How long a push is held back: an ack of any device in that time makes it unnecessary. "
        "After a line is lost, and after a start, devices get as long to come back.",
        more="Pushes come later.",
        less="Pushes for what a device has just got.",
        le=600_000,
    )
    text: bool = setting(
        default=True,
        why="Whether the text of a message is in its push; off, only ids are. Web Push is "
        "encrypted to the browser, a webhook is as private as its URL.",
    )
    text_bytes: Size = setting(
        1024,
        "Text in a push; longer text is cut there.",
        more="Larger pushes; Web Push takes no more than 3993 bytes for all of it.",
        less="Notifications that say less.",
        ge=0,
        le=3072,
    )
    devices: int = setting(
        10,
        "Devices of one user that may be registered.",
        more="Pushes for each message.",
        less="Users with many devices hear of nothing on some of them.",
        ge=1,
        le=255,
    )
    timeout: Duration = setting(
        "10s",
        "How long one request may take, connecting included.",
        more="A slow receiver holds up its others for longer.",
        less="Slow receivers get pushes twice.",
        ge=50,
        le=120_000,
    )
    concurrency: int = setting(
        16,
        "Requests to one host at the same time.",
        more="Load on the receiver.",
        less="Pushes queue behind slow ones.",
        ge=1,
        le=1000,
    )
    backoff: Duration = setting(
        "1s",
        "The wait after the first failure; it doubles with each, up to ten minutes, and is then "
        "cut to a random one of half to all of it.",
        more="Pushes come later after a failure.",
        less="Load on a receiver that is failing.",
        ge=1,
        le=600_000,
    )
    attempts: int = setting(
        12,
        "Tries of one push; after the last it is a dead letter. With the default waits that is "
        "half an hour.",
        more="A dead receiver holds up what comes later for the same device for longer.",
        less="Dead letters when a receiver is down for a while.",
        ge=1,
        le=1000,
    )
    expires: Duration = setting(
        "1d",
        "A push older than that is not delivered any more; one that was tried is a dead letter.",
        more="Users hear of what is long past.",
        less="A receiver that is down for longer misses it.",
        ge=100,
    )
    keep: Duration = setting(
        "7d",
        "How long dead letters are kept, and what is known of pushes that were shown.",
        more="Disk: about 200 bytes each.",
        less="Older dead letters cannot be replayed; what is read later clears nothing.",
        ge=1000,
    )
    waiting: int = setting(
        100_000,
        "Users with pushes on their way who are in memory; the others wait on disk until there is "
        "room.",
        more="About 500 bytes each.",
        less="The outbox is read again more often.",
        ge=100,
    )

    @property
    def is_on(self) -> bool:
        """Whether this node pushes at all."""
        return bool(self.webhooks) or self.webpush


def problems(push: Push) -> list[str]:
    """What no single field can see, a line each."""
    found: list[str] = []
    for name, url in push.webhooks.items():
        parts = urlsplit(url)
        if not name or parts.scheme not in ("http", "https") or not parts.hostname:
            found.append(f"push.webhooks: {name}={url} is no name and http(s) URL")
    if push.webhooks and push.webhook_secret is None:
        found.append("push.webhook_secret: webhooks are signed, so they need one")
    for name in ("webhook_secret", "webhook_secret_old"):
        secret: SecretStr | None = getattr(push, name)
        if secret is not None and len(secret.get_secret_value()) < SECRET_BYTES:
            found.append(f"push.{name}: shorter than {SECRET_BYTES} characters")
    if push.webpush and not _CONTACT.fullmatch(push.webpush_contact):
        found.append("push.webpush_contact: Web Push needs a mailto: or https: address")
    return found
