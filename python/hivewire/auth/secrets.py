"""Secrets the node makes or derives: the one of `--dev`, and the one that signs tickets."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path

    from hivewire.config import Settings
    from hivewire.config.sections import Auth

DEV_SECRET_FILE: Final = "dev-secret"  # noqa: S105 - a file's name


def ticket_secret(auth: Auth, node_secret: bytes, key_urls: tuple[str, ...] = ()) -> bytes:
    """The key that signs tickets, 32 bytes.

    It hangs on the node's own secret and on the key that tokens are checked with: whoever changes
    that key after a leak has refused the old tickets as well. Of published keys it hangs on where
    they are: these change all the time.
    """
    secret = auth.secret.get_secret_value() if auth.secret else ""
    fields = ("hivewire ticket 1", auth.algorithm, secret, auth.public_key or "", *key_urls)
    binding = "\0".join(fields)
    return hmac.digest(node_secret, binding.encode(), "sha256")


def link_secret(auth: Auth, node_secret: bytes) -> bytes:
    """The key that signs links to uploads, 32 bytes; it hangs on the same as that of tickets."""
    return hmac.digest(ticket_secret(auth, node_secret), b"hivewire link 1", "sha256")


def dev_settings(settings: Settings) -> Settings:
    """`settings` with the data directory's development secret where none is configured."""
    settings = settings.developed()
    if settings.auth.algorithm != "HS256" or settings.auth.secret is not None:
        return settings
    return with_secret(settings, dev_secret(settings.store.path))


def with_secret(settings: Settings, secret: str) -> Settings:
    """`settings` with `secret` as `auth.secret`."""
    auth = settings.auth.model_copy(update={"secret": SecretStr(secret)})
    return settings.model_copy(update={"auth": auth})


def dev_secret(directory: Path) -> str:
    """The development secret kept in `directory`, made on the first call (mode 0600).

    Raises:
        OSError: the directory or file cannot be made or read.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / DEV_SECRET_FILE
    if not path.exists():
        fresh = directory / f".{DEV_SECRET_FILE}.{os.getpid()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and the first of two processes wins.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text().strip()


def read_dev_secret(directory: Path) -> str | None:
    """The development secret kept in `directory`, or None when no `--dev` node ever ran there."""
    try:
        return (directory / DEV_SECRET_FILE).read_text().strip()
    except FileNotFoundError:
        return None
