"""Uploads: what names them is a message that does, and their bytes add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hivewire.store import keys
from hivewire.store.verify.rows import all_rows, event_at

if TYPE_CHECKING:
    from hivewire.store import Store
    from hivewire.store.verify.report import Report
    from hivewire.store.verify.rows import Body

_upload = msgspec.json.Decoder(dict[str, Any]).decode


def check_media(store: Store, report: Report) -> None:
    """Each row says its own id; each naming leads to a message that names this very upload."""
    total, upload = 0, ""
    for key, value in all_rows(store, "media", report):
        media, suffix = keys.split(key)
        if not suffix:
            upload = media
            row = _upload(keys.media_body(value))
            total += row["bytes"]
            if row["id"] != media:
                report.add("reference", media, f"the upload says that it is {row['id']}")
            continue
        if upload != media:
            report.add("reference", media, "a message names it and there is no such upload")
        _check_naming(store, report, media, suffix)
    value = store.get(store.columns.meta, keys.META_MEDIA)
    said = 0 if value is None else keys.parse_media_total(value)
    if said != total:
        report.add("media", "meta", f"uploads have {total} bytes together, not {said}")


def _check_naming(store: Store, report: Report, media: str, suffix: bytes) -> None:
    conv, n = suffix[:-8].decode(), keys.position_of(suffix)
    body = event_at(store, conv, n)
    if body is None or media not in (body.get("media") or ()):
        report.add("reference", media, f"{conv} n {n} does not name it")


def check_named(store: Store, report: Report, conv: str, n: int, body: Body) -> None:
    """What a message names has a row that keeps the upload from going."""
    for media in body.get("media") or ():
        if store.get(store.columns.media, keys.naming_key(media, conv, n)) is None:
            report.add("reference", conv, f"n {n}: nothing keeps the upload {media}")
