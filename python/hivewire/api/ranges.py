"""Parts of a file and what a browser has already: RFC 9110, sections 13 and 14."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from starlette.datastructures import Headers

_one_range = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII).fullmatch
DIGITS = 18


class Part(NamedTuple):
    """What is answered: the bytes from `start` up to, not including, `end`."""

    status: int
    """200 all of it, 206 a part, 304 nothing since it is there already, 416 there is no such part.
    """
    start: int
    end: int


def part_of(headers: Headers, etag: str, size: int) -> Part:
    """What a GET or HEAD of a file of `size` bytes asks for.

    Several ranges at once get all of it, as a server may do (section 14.2).
    """
    if _holds(headers.get("if-none-match", ""), etag):
        return Part(304, 0, 0)
    asked = _one_range(headers.get("range", ""))
    if asked is not None and _is_current(headers.get("if-range"), etag):
        first, last = asked.groups()
        if (first or last) and max(len(first), len(last)) <= DIGITS:
            return _range(first, last, size)
    return Part(200, 0, size)


def _range(first: str, last: str, size: int) -> Part:
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return Part(200, 0, size)  # not valid, so as if there were none (section 14.1.1)
    return Part(206, start, end) if start < end else Part(416, 0, 0)


def _holds(listed: str, etag: str) -> bool:
    """Whether `If-None-Match` has this tag; a weak one counts too."""
    tags = [tag.strip().removeprefix("W/") for tag in listed.split(",")]
    return etag in tags or "*" in tags


def _is_current(if_range: str | None, etag: str) -> bool:
    """Whether a range may be answered: the client's part is of this very file."""
    return if_range is None or if_range.strip() == etag
