"""What a file is, found from its bytes, and what a browser may do with it."""

from __future__ import annotations

import codecs
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import filetype  # pyright: ignore[reportMissingTypeStubs] - it has none

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD_BYTES: Final = 8192
"""So much of a file tells what it is."""
UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"

PICTURES: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
}
"""Types that get width, height and a thumbnail, and the one decoder that may touch each."""

PLAYED: Final = frozenset(
    {
        *("video/mp4", "video/webm", "video/quicktime"),
        *("audio/mpeg", "audio/mp4", "audio/ogg", "audio/x-wav", "audio/x-flac", "audio/aac"),
    }
)
"""Types besides pictures that a browser shows in a page; none of them can hold a script."""

_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


def kind_of(head: bytes) -> str:
    """The MIME type of a file that begins with `head`; `UNKNOWN` where nothing knows it.

    Text is text, whatever it says: a page or a drawing with scripts is never called one.
    """
    # Of two bytes like BM any text may begin; text never holds what those files go on with.
    if _is_text(head):
        return TEXT
    found: str | None = filetype.guess_mime(head)  # pyright: ignore[reportUnknownMemberType]
    return found or UNKNOWN


def is_taken(mime: str, allowed: Iterable[str]) -> bool:
    """Whether a type is on the list, which may hold patterns such as `image/*`."""
    return any(fnmatchcase(mime, pattern) for pattern in allowed)


def is_shown(mime: str) -> bool:
    """Whether a browser may show it in a page; everything else is a download."""
    return mime in PICTURES or mime in PLAYED


def _is_text(head: bytes) -> bool:
    if head.translate(None, _CONTROLS) != head:
        return False
    try:
        # The head may end inside a character.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
