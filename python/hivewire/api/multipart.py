"""The file in a `multipart/form-data` body, as it comes: no part of it is kept here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from hivewire.api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

HEADER_BYTES = 8 * 1024
"""Of all headers of one part."""
BROKEN = ApiError("bad_request", "the body is no multipart/form-data")
NO_FILE = ApiError("bad_request", "the body has no file", field="file")


def boundary_of(content_type: str) -> bytes | None:
    """What separates the parts; None if it is another kind of body. Raises ApiError."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        return None
    boundary = options.get(b"boundary", b"")
    # RFC 2046, section 5.1.1.
    if not 1 <= len(boundary) <= 70:
        raise BROKEN
    return boundary


async def file_in(body: AsyncIterable[bytes], boundary: bytes) -> AsyncGenerator[bytes]:
    """The bytes of the first file in the body, whatever its field is called. Raises ApiError."""
    parts = _Parts(boundary)
    async for chunk in body:
        for data in parts.feed(chunk):
            yield data
    parts.finish()


class _Parts:
    """Follows the parser through the parts; what is not the file is read over."""

    def __init__(self, boundary: bytes) -> None:
        self._found: list[bytes] = []
        self._name, self._value = b"", b""
        self._header_bytes = 0
        self._in_file = False
        self._had_file = False
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """The file's bytes in this chunk of the body."""
        try:
            self._parser.write(chunk)
        except MultipartParseError:
            raise BROKEN from None
        found, self._found = self._found, []
        return found

    def finish(self) -> None:
        """The body is over: it must have been whole, and have had a file."""
        if not self._ended:
            raise BROKEN
        if not self._had_file:
            raise NO_FILE

    def _begin(self) -> None:
        self._name = self._value = b""
        self._header_bytes = 0

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, more: int) -> None:
        self._header_bytes += more
        if self._header_bytes > HEADER_BYTES:
            raise BROKEN

    def _on_header(self) -> None:
        if self._name.lower() == b"content-disposition" and not self._had_file:
            _, options = parse_options_header(self._value)
            self._in_file = b"filename" in options or options.get(b"name") == b"file"
            self._had_file = self._in_file
        self._name = self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._found.append(data[start:end])

    def _on_part_end(self) -> None:
        self._in_file = False

    def _on_end(self) -> None:
        self._ended = True
