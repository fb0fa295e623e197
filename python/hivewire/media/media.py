"""Uploads, from the first byte to the last link. Loop thread only.

The order that keeps the promise: the bytes are written and synced under their name, then their
row goes through the journal, and only when that is durable is the upload answered. A file that goes
does so in the other direction: first its row, durably, then the bytes.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import msgspec
import structlog

from hivewire.clock import monotonic_ms
from hivewire.core.media import Upload, find_upload, plan_gone, plan_upload, stored_bytes
from hivewire.log import REQUEST
from hivewire.media import kinds, refusals
from hivewire.media.blobs import THUMBNAIL, BlobsBroken
from hivewire.media.incoming import Incoming
from hivewire.media.links import Links
from hivewire.media.local import LocalBlobs
from hivewire.media.pictures import Pictures
from hivewire.media.quotas import Quotas
from hivewire.media.s3 import S3Blobs, connect
from hivewire.media.sweeper import Sweeper
from hivewire.media.threads import InThread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from hivewire.config import Settings
    from hivewire.core.entries import MediaEntry, MediaGoneEntry
    from hivewire.delivery import Delivery
    from hivewire.media.blobs import Blobs

log = structlog.get_logger(__name__)

INCOMING = "incoming"
"""Under the folder of the files: what is on its way in. Emptied at each start."""


class Media:
    """The uploads of one node.

    Args:
        settings: All settings; `media` and `store.path` count here.
        delivery: Where rows go.
        act: Does something between two turns of the node.
        secret: What links are signed with.
        clock_ms: The wall clock, ms since the Unix epoch.
    """

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        act: Callable[[Callable[[], None]], None],
        secret: bytes,
        clock_ms: Callable[[], int],
    ) -> None:
        own = self.settings = settings.media
        self.links = Links(secret, own.link_time)
        self.folder = own.path or settings.store.path / "media"
        self.in_thread = InThread()
        self.pictures = Pictures(own)
        self.blobs: Blobs = (
            S3Blobs(connect(own), self.in_thread)
            if own.s3_bucket
            else LocalBlobs(self.folder, self.in_thread)
        )
        self.now_ms = clock_ms
        self._delivery = delivery
        self._act = act
        self._quotas = Quotas(own.uploads_per_minute, own.bytes_per_hour)
        self._under_way: dict[Incoming, str] = {}
        self._deadlines: set[asyncio.Timeout] = set()
        """Of bytes that are coming in."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._waiting: set[asyncio.Future[None]] = set()
        self._sweeper = Sweeper(self, delivery.view.store)
        self._going = False
        """Whether nothing new is taken."""
        self._stopped = False
        """Whether nothing is written any more."""
        self.taken = 0
        """Uploads that were answered."""
        self.refused = 0

    # -- its life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Make the folders, forget what was on its way in. Raises BlobsBroken."""
        try:
            await self.in_thread(self._clear_incoming)
        except OSError as error:
            raise BlobsBroken(f"cannot make the folder {self.folder}: {error.strerror}") from error
        await self.blobs.start()
        self._sweeper.start()

    async def take_over(self) -> None:
        """The same in a node that goes on for another: it works without uploads, if it must."""
        try:
            await self.start()
        except BlobsBroken as error:
            log.warning("uploads do not work now", error=str(error))
            self._sweeper.start()

    async def rest(self) -> None:
        """Take nothing away any more: another node over the same files does so from now on."""
        await self._sweeper.stop()

    @property
    def is_going(self) -> bool:
        """Whether the node goes down: nothing new is taken, nobody is waited for."""
        return self._going

    def cut(self) -> None:
        """Take nothing new, and tell those whose bytes are still coming in to come again."""
        self._going = True
        for deadline in self._deadlines:
            deadline.reschedule(asyncio.get_running_loop().time())

    async def stop(self) -> None:
        """Take nothing more, and give up what waits: it stays unknown."""
        self.cut()
        self._stopped = True
        for waiting in list(self._waiting):
            waiting.cancel()
        await self._sweeper.stop()
        await self.pictures.stop()

    def close(self) -> None:
        """Nobody asks for anything any more: end the threads."""
        self.in_thread.close()

    def figures(self) -> dict[str, int]:
        """What `/metrics` shows."""
        return {
            "uploads_total": self.taken,
            "refused_total": self.refused,
            "unreadable_total": self.pictures.failed,
            "pictures_killed_total": self.pictures.killed,
            "removed_total": self._sweeper.removed,
            "under_way": len(self._under_way),
            "bytes": stored_bytes(self._delivery.view),
        }

    # -- uploads ---------------------------------------------------------------------------------

    def begin(self, user: str, length: int | None = None) -> Incoming:
        """Let a user upload a file, of `length` bytes as far as that is known.

        Raises Refused. What is returned goes to `finish` or to `abandon`.
        """
        try:
            self._admit(user, length)
        except refusals.Refused:
            self.refused += 1
            raise
        incoming = Incoming(self.folder / INCOMING, self.in_thread, self.settings.max_bytes)
        self._under_way[incoming] = user
        return incoming

    @asynccontextmanager
    async def in_time(self, ms: int | None = None) -> AsyncGenerator[None]:
        """Give bytes that come in their time, `media.upload_time` if no other is said.

        Raises Refused if it takes longer, or the node goes down.
        """
        deadline = asyncio.timeout((ms or self.settings.upload_time) / 1000)
        try:
            async with deadline:
                self._deadlines.add(deadline)
                yield
        except TimeoutError:
            raise (refusals.stopping() if self._going else refusals.too_slow()) from None
        finally:
            self._deadlines.discard(deadline)

    async def abandon(self, incoming: Incoming) -> None:
        """Forget an upload that does not come to its end; nothing of it is left."""
        self.refused += 1
        await self._end(incoming)

    async def finish(self, incoming: Incoming) -> Upload:
        """Keep what has come in; durable when this returns. Raises Refused."""
        try:
            upload = await self._finish(incoming, self._under_way[incoming])
        except refusals.Refused:
            self.refused += 1
            raise
        except (BlobsBroken, OSError) as error:
            self.refused += 1
            about = {"request": REQUEST.get(), "user": self._under_way[incoming]}
            log.warning("an upload could not be kept", **about, error=str(error))
            raise refusals.full() from error
        finally:
            await self._end(incoming)
        self.taken += 1
        return upload

    async def accept_bytes(self, user: str, data: bytes) -> Upload:
        """An upload that is in memory already; the same rules. Raises Refused."""
        incoming = self.begin(user, len(data))
        try:
            await incoming.write(data)
        except BaseException:
            await self.abandon(incoming)
            raise
        return await self.finish(incoming)

    def _admit(self, user: str, length: int | None) -> None:
        """Refuse what can be refused before a byte is read."""
        own = self.settings
        if self._going:
            raise refusals.stopping()
        if length is not None and length > own.max_bytes:
            raise refusals.too_large(own.max_bytes)
        if len(self._under_way) >= own.concurrency:
            raise refusals.busy()
        coming = own.max_bytes if length is None else length
        free, view = self.blobs.free(), self._delivery.view
        if free is not None and free - coming < own.keep_free:
            raise refusals.full()
        if own.total and stored_bytes(view) + coming > own.total:
            raise refusals.full()
        wait = self._quotas.begin(user, monotonic_ms())
        if wait:
            raise refusals.too_often(wait)

    async def _finish(self, incoming: Incoming, user: str) -> Upload:
        await incoming.close()
        if not incoming.bytes:
            raise refusals.empty()
        mime = kinds.kind_of(incoming.head)
        if not kinds.is_taken(mime, self.settings.types):
            raise refusals.wrong_type(mime)
        async with self.lock(incoming.id):
            known = await self._known(incoming.id, user)
            upload = known or await self._keep(incoming, user, mime)
            await self.write(lambda: plan_upload(upload, self._delivery.view))
        return upload

    async def _known(self, media: str, user: str) -> Upload | None:
        """An upload of the same bytes that is whole; its time begins anew."""
        found = await self.find(media)
        if found is None or not await self.blobs.has(media):
            return None
        if found.thumbnail and not await self.blobs.has(media + THUMBNAIL):
            return None
        return msgspec.structs.replace(found, user=user, ts=self.now_ms())

    async def _keep(self, incoming: Incoming, user: str, mime: str) -> Upload:
        """Look at it if it is a picture, and take it over under its name."""
        media, picture = incoming.id, None
        thumbnail = incoming.path.with_name(incoming.path.name + THUMBNAIL)
        try:
            if mime in kinds.PICTURES:
                shape = kinds.PICTURES[mime]
                picture = await self.pictures.look(incoming.path, shape, thumbnail)
                # What no decoder reads is no picture, and no page shows it as one.
                mime = mime if picture else kinds.UNKNOWN
            if picture:
                await self.blobs.keep(media + THUMBNAIL, thumbnail)
            await self.blobs.keep(media, incoming.path)
        finally:
            await self.in_thread(partial(thumbnail.unlink, missing_ok=True))
        width, height = picture or (None, None)
        return Upload(
            media,
            user,
            self.now_ms(),
            mime,
            incoming.bytes,
            width,
            height,
            thumbnail=picture is not None,
        )

    async def _end(self, incoming: Incoming) -> None:
        user = self._under_way.pop(incoming)
        self._quotas.spend(user, incoming.bytes, monotonic_ms())
        await incoming.discard()

    # -- what is there ---------------------------------------------------------------------------

    async def find(self, media: str) -> Upload | None:
        """An upload that is there for good; None if there is none."""
        found: list[Upload | None] = []
        await self._when_durable(lambda: found.append(find_upload(media, self._delivery.view)))
        return found[0]

    def read(self, media: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes of an upload, or of its thumbnail, from `start` up to `end`."""
        return self.blobs.read(media, start, end)

    # -- what goes -------------------------------------------------------------------------------

    async def drop_unused(self, media: str, before_ms: int) -> bool:
        """Take an upload away that is older than `before_ms` and that nothing names."""
        async with self.lock(media):
            entry = await self.write(lambda: plan_gone(media, self._delivery.view, before_ms))
            if entry is None:
                return False
            await self.drop_bytes(media)
        return True

    async def drop_stray(self, media: str) -> bool:
        """Take bytes away that have no row: a crash came between the two."""
        async with self.lock(media):
            if await self.find(media) is not None:
                return False
            await self.drop_bytes(media)
        return True

    async def drop_bytes(self, media: str) -> None:
        """Remove a file and its thumbnail."""
        await self.blobs.remove(media + THUMBNAIL)
        await self.blobs.remove(media)

    # -- the journal -----------------------------------------------------------------------------

    def lock(self, media: str) -> asyncio.Lock:
        """What makes sure that the same bytes do not come and go at once."""
        lock = self._locks.get(media)
        if lock is None:
            lock = self._locks[media] = asyncio.Lock()
        return lock

    async def write(
        self, plan: Callable[[], MediaEntry | MediaGoneEntry | None]
    ) -> MediaEntry | MediaGoneEntry | None:
        """Plan and apply between two turns; return when it is durable."""
        planned: list[MediaEntry | MediaGoneEntry] = []

        def apply() -> None:
            entry = plan()
            if entry is not None:
                planned.append(entry)
                self._delivery.media(entry)

        if self._delivery.journal.is_full:
            raise refusals.full()
        await self._when_durable(lambda: None, apply)
        return planned[0] if planned else None

    async def _when_durable(
        self, work: Callable[[], object], before: Callable[[], None] | None = None
    ) -> None:
        """Do `before` between two turns, and `work` when all that it may see is durable."""
        if self._stopped or self._delivery.journal.dead:
            raise refusals.stopping()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(done)
        done.add_done_callback(self._waiting.discard)

        def settle() -> None:
            if not done.done():
                work()
                done.set_result(None)

        def step() -> None:
            if before is not None:
                before()
            self._delivery.when_durable(settle)

        self._act(step)
        try:
            await done
        except asyncio.CancelledError:
            if self._stopped:
                raise refusals.stopping() from None
            raise

    def _clear_incoming(self) -> None:
        folder = self.folder / INCOMING
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.iterdir():
            left.unlink(missing_ok=True)  # by the node before this one, perhaps
