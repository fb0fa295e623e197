from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.api.errors import ApiError
from hivewire.api.multipart import boundary_of, file_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.unit
FILE = b'Content-Disposition: form-data; name="anything"; filename="a.png"\r\nContent-Type: x/y'
FIELD = b'Content-Disposition: form-data; name="note"'
DATA = bytes(range(256)) * 3 + b"\r\n--almost\r\n--b"


def body_of(*parts: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"--b0\r\n%b\r\n\r\n%b\r\n" % part for part in parts) + b"--b0--\r\n"


async def read(body: bytes, step: int) -> bytes:
    async def chunks() -> AsyncGenerator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    return b"".join([data async for data in file_in(chunks(), b"b0")])


@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_the_file_comes_out_however_it_comes_in(step: int) -> None:
    body = body_of((FIELD, b"hello"), (FILE, DATA), (FIELD, b"more"), (FILE, b"a second file"))
    assert await read(body, step) == DATA


async def test_a_field_called_file_is_one_too() -> None:
    header = b'Content-Disposition: form-data; name="file"'
    assert await read(body_of((header, DATA)), 100) == DATA


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no multipart"),
        (b"hello", "no multipart"),
        (body_of((FILE, DATA))[:-8], "no multipart"),
        (body_of((FILE, DATA))[:40], "no multipart"),
        (body_of((FIELD, b"x")), "no file"),
        (body_of((b"X: " + bytes(9000).replace(b"\0", b"a"), b"x")), "no multipart"),
    ],
    ids=["empty", "words", "cut at the end", "cut in the head", "no file", "a long header"],
)
async def test_what_is_no_good_body(body: bytes, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        await read(body, 1000)


def test_the_boundary_is_in_the_type() -> None:
    assert boundary_of("multipart/form-data; boundary=b0") == b"b0"
    assert boundary_of('multipart/form-data; boundary="b 0"') == b"b 0"
    assert boundary_of("image/png") is None
    assert boundary_of("") is None
    for wrong in ("", "; boundary=", "; boundary=" + "x" * 71):
        with pytest.raises(ApiError):
            boundary_of("multipart/form-data" + wrong)
