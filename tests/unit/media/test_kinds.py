from __future__ import annotations

import pytest

from hivewire.media.kinds import (
    HEAD_BYTES,
    PICTURES,
    PLAYED,
    TEXT,
    UNKNOWN,
    is_shown,
    is_taken,
    kind_of,
)

from .room import picture

pytestmark = pytest.mark.unit

HEADS = {
    "image/png": picture("PNG"),
    "image/jpeg": picture("JPEG"),
    "image/gif": picture("GIF"),
    "image/webp": picture("WEBP"),
    "image/avif": picture("AVIF"),
    "image/bmp": picture("BMP"),
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "application/zip": b"PK\x03\x04\x14\x00\x00\x00",
    "video/mp4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41",
    "video/webm": bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d"),
    "audio/mpeg": b"ID3\x04\0\0\0\0\0\0",
    "audio/ogg": b"OggS\0\x02" + bytes(30),
    "application/x-executable": b"\x7fELF\x02\x01\x01" + bytes(100),
    UNKNOWN: bytes(range(200, 255)),
}


@pytest.mark.parametrize("mime", HEADS)
def test_a_type_is_found_from_the_bytes(mime: str) -> None:
    assert kind_of(HEADS[mime]) == mime


@pytest.mark.parametrize(
    "text",
    [
        "hello you",
        "BM is how a bitmap begins",
        "<!DOCTYPE html><script>alert(1)</script>",
        '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "#!/bin/sh\necho",
        "GIF89a=1;alert(1)//",
        "ünï" * HEAD_BYTES,
    ],
)
def test_text_is_text_whatever_it_says(text: str) -> None:
    head = text.encode()[:HEAD_BYTES]
    assert kind_of(head) == TEXT
    assert not is_shown(TEXT)


def test_a_page_shows_no_type_that_can_hold_a_script() -> None:
    shown = {*PICTURES, *PLAYED}
    assert all(is_shown(mime) for mime in shown)
    for mime in ("image/svg+xml", "text/html", "application/pdf", "application/xml", UNKNOWN):
        assert not is_shown(mime)
    assert {mime.partition("/")[0] for mime in shown} == {"image", "video", "audio"}


def test_the_list_may_hold_patterns() -> None:
    assert is_taken("image/png", ("*/*",))
    assert is_taken("image/png", ("image/*",))
    assert is_taken("image/png", ("video/mp4", "image/png"))
    assert not is_taken("image/png", ("video/*", "image/jpeg"))
    assert not is_taken("image/png", ())
