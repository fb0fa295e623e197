"""Blobs as objects of an S3-compatible store, through obstore (`hivewire[s3]`).

Objects have the names that files have in a folder, behind `media.s3_prefix`.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hivewire.media.blobs import CHUNK_BYTES, BlobsBroken, Listed, Missing, folder_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable
    from pathlib import Path
    from typing import TypeVar

    from obstore.store import ObjectStore

    from hivewire.config.media import Media as MediaSettings
    from hivewire.media.threads import InThread

    Result = TypeVar("Result")

RETRIES = 3
RETRY_TIME = timedelta(seconds=10)
"""How long a store that does not answer is asked again; who uploads is told to try later then."""


class S3Blobs:
    """Blobs in a bucket, or in whatever else obstore calls a store.

    Args:
        store: An object store of obstore.
        in_thread: Runs what blocks on this machine.
    """

    def __init__(self, store: ObjectStore, in_thread: InThread) -> None:
        import obstore  # noqa: PLC0415 - an extra, that nodes with a folder need not have

        self._obstore = obstore
        self._store = store
        self._in_thread = in_thread

    async def start(self) -> None:
        """Ask the store something, so that wrong settings are seen at once."""
        await self.listed(0)

    async def keep(self, name: str, source: Path) -> None:
        """Upload the file, in parts if it is large. An object appears whole or not at all."""
        await _reach(self._obstore.put_async(self._store, _key(name), source))
        await self._in_thread(source.unlink)

    async def has(self, name: str) -> bool:
        """Whether the object is there."""
        try:
            await self.size(name)
        except Missing:
            return False
        return True

    async def size(self, name: str) -> int:
        """The object's size."""
        return (await _reach(self._obstore.head_async(self._store, _key(name))))["size"]

    async def read(self, name: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """The object's bytes as they come in. A broken line ends in BlobsBroken."""
        if start >= end:
            return
        options: Any = {"range": (start, end)}
        found = await _reach(self._obstore.get_async(self._store, _key(name), options=options))
        stream = found.stream(min_chunk_size=CHUNK_BYTES)
        while (chunk := await _reach(anext(stream, None))) is not None:
            yield bytes(chunk)

    async def remove(self, name: str) -> None:
        """Delete the object."""
        try:
            await _reach(self._obstore.delete_async(self._store, _key(name)))
        except Missing:
            return

    async def listed(self, partition: int) -> list[Listed]:
        """The objects of one partition."""
        now, found = time.time(), list[Listed]()
        stream = self._obstore.list(  # pyright: ignore[reportUnknownMemberType] - of Arrow, not used
            self._store, prefix=f"{partition:02x}"
        )
        while (page := await _reach(anext(stream, None))) is not None:
            for one in page:
                name = one["path"].rpartition("/")[2]
                found.append(Listed(name, now - one["last_modified"].timestamp()))
        return found

    def free(self) -> int | None:
        """Nobody can tell."""
        return None


def connect(settings: MediaSettings) -> ObjectStore:
    """The bucket that the settings name. Raises BlobsBroken where obstore is not installed."""
    try:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra
        from obstore.store import S3Store  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise BlobsBroken("media.s3_bucket needs: pip install 'hivewire[s3]'") from error
    config: dict[str, Any] = {"region": settings.s3_region}
    if settings.s3_endpoint:
        config |= {"endpoint": settings.s3_endpoint, "virtual_hosted_style_request": False}
    if settings.s3_key:
        config["access_key_id"] = settings.s3_key
    if settings.s3_secret is not None:
        config["secret_access_key"] = settings.s3_secret.get_secret_value()
    options: Any = {"allow_http": settings.s3_endpoint.startswith("http://"), "timeout": "60s"}
    retries: Any = {"max_retries": RETRIES, "retry_timeout": RETRY_TIME}
    try:
        return S3Store(
            settings.s3_bucket,
            prefix=settings.s3_prefix or None,
            client_options=options,
            retry_config=retries,
            **config,
        )
    except (BaseError, ValueError) as error:
        # Its own text goes on for lines.
        raise BlobsBroken(f"media.s3_bucket: {str(error).partition(chr(10))[0]}") from error


def _key(name: str) -> str:
    return f"{folder_of(name)}/{name}"


async def _reach(asked: Awaitable[Result]) -> Result:
    """What the store answered. Its errors, and those of the line, are BlobsBroken."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra

    try:
        return await asked
    except FileNotFoundError as error:
        raise Missing(str(error)) from error
    except (BaseError, OSError) as error:
        raise BlobsBroken(str(error)) from error
