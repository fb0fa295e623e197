"""Uploads as messages see them: which there are, which of them a message names.

The bytes lie elsewhere. A row is written when they are on stable storage and goes before they do,
so that whoever sees a row can have the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hivewire.core.entries import MediaEntry, MediaGoneEntry
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hivewire.core.entries import SendEntry
    from hivewire.core.overlay import Pending
    from hivewire.core.view import View
    from hivewire.store import Batch, Put


class Upload(Struct, gc=False, frozen=True):
    """What is known of an upload; the row in `media` is this as JSON."""

    id: str
    user: str
    """Who uploaded it last."""
    ts: int
    """When that was, ms since the Unix epoch."""
    mime: str
    bytes: int
    width: int | None = None
    height: int | None = None
    thumbnail: bool = False


_upload = msgspec.json.Decoder(Upload).decode
_encode = msgspec.json.Encoder().encode


def all_there(media: Iterable[str], view: View) -> bool:
    """Whether a message may name these uploads, as planned. A point read each, and only then."""
    return all(view.overlay.get("media", keys.media_key(one)) is not None for one in media)


def find_upload(media: str, view: View) -> Upload | None:
    """An upload as planned; None if there is none."""
    value = view.overlay.get("media", keys.media_key(media))
    return None if value is None else _upload(keys.media_body(value))


def uploaded_at(value: bytes) -> int:
    """When the upload of a row was, ms since the Unix epoch."""
    return _upload(keys.media_body(value)).ts


def stored_bytes(view: View) -> int:
    """The bytes of all uploads together, as planned."""
    value = view.overlay.get("meta", keys.META_MEDIA)
    return 0 if value is None else keys.parse_media_total(value)


def plan_upload(upload: Upload, view: View) -> MediaEntry:
    """Decide an upload whose bytes are there. Of the same bytes there is one; its time is new."""
    total = stored_bytes(view)
    if find_upload(upload.id, view) is None:
        total += upload.bytes
    return MediaEntry(
        upload.id,
        upload.user,
        upload.ts,
        upload.mime,
        upload.bytes,
        upload.width,
        upload.height,
        upload.thumbnail,
        total,
    )


def plan_gone(media: str, view: View, before_ms: int) -> MediaGoneEntry | None:
    """Decide that an upload goes: older than `before_ms` and named by no message. Else None."""
    upload = find_upload(media, view)
    if upload is None or upload.ts >= before_ms or is_named(media, view):
        return None
    return MediaGoneEntry(media, stored_bytes(view) - upload.bytes)


def is_named(media: str, view: View) -> bool:
    """Whether a message names this upload, as planned."""
    start = keys.media_key(media)
    coming = dict(view.overlay.under("media", start))
    if any(value is not None for key, value in coming.items() if key != start):
        return True
    store = view.store
    first, end = start + b"\0", keys.range_end(start)
    # Rows that are on their way out still stand in the store: as many may have to be passed over.
    rows = store.scan(store.columns.media, first, end, len(coming) + 1)
    return any(key not in coming for key, _ in rows)


def apply_media(entry: MediaEntry | MediaGoneEntry, view: View, batch: Batch) -> list[Pending]:
    """Put or delete the row of an upload; returns what the overlay holds of it."""
    row, overlay = keys.media_key(entry.media), view.overlay
    if isinstance(entry, MediaGoneEntry):
        batch.delete(row, view.store.columns.media)
        pending = overlay.gone("media", row)
    else:
        pending = overlay.put("media", row, keys.media_value(_encode(_row(entry))), batch.put)
    total = keys.media_total_value(entry.total)
    return [pending, overlay.put("meta", keys.META_MEDIA, total, batch.put)]


def apply_naming(entry: SendEntry, view: View, put: Put) -> list[Pending]:
    """Put a row for each upload that a message names: as long as it is there the upload stays."""
    rows = {keys.naming_key(media, entry.conv, entry.n) for media in entry.media or ()}
    return [view.overlay.put("media", row, keys.NAMING_VALUE, put) for row in sorted(rows)]


def _row(entry: MediaEntry) -> Upload:
    return Upload(
        entry.media,
        entry.user,
        entry.ts,
        entry.mime,
        entry.bytes,
        entry.width,
        entry.height,
        entry.thumbnail,
    )
