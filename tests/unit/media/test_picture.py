"""What the process does that unpacks pictures; its limits are tried in `test_pictures`."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from hivewire.media import picture as process

from .room import picture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's bound is the process's own, which here is that of the tests."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


def look(folder: Path, data: bytes, decoder: str = "PNG", pixels: int = 1_000_000) -> Any:
    (folder / "source").write_bytes(data)
    return process.answer(
        {
            "source": str(folder / "source"),
            "decoder": decoder,
            "target": str(folder / "small"),
            "box": 64,
            "pixels": pixels,
        }
    )


@pytest.mark.parametrize("decoder", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP"])
def test_every_kind_gets_its_size_and_a_thumbnail(tmp_path: Path, decoder: str) -> None:
    data = picture(decoder, (200, 100))
    assert look(tmp_path, data, decoder) == {"width": 200, "height": 100}
    with Image.open(tmp_path / "small") as small:
        assert (small.format, small.size) == ("WEBP", (64, 32))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_can_be_made_small(tmp_path: Path, mode: str) -> None:
    assert look(tmp_path, picture("PNG", (100, 100), mode)) == {"width": 100, "height": 100}
    with Image.open(tmp_path / "small") as small:
        assert small.size == (64, 64)


def test_a_small_picture_is_not_made_larger(tmp_path: Path) -> None:
    look(tmp_path, picture("PNG", (8, 4)))
    with Image.open(tmp_path / "small") as small:
        assert small.size == (8, 4)


def test_what_cameras_write_down_turns_it_and_does_not_go_along(tmp_path: Path) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SECRET camera"
    Image.new("RGB", (200, 100)).save(file, "JPEG", exif=exif, comment=b"SECRET")
    assert look(tmp_path, file.getvalue(), "JPEG") == {"width": 100, "height": 200}
    with Image.open(tmp_path / "small") as small:
        assert small.size == (32, 64)
        assert dict(small.getexif()) == {}
    assert b"SECRET" not in (tmp_path / "small").read_bytes()


def test_too_many_pixels_are_seen_in_the_header(tmp_path: Path) -> None:
    for pixels in (39_999, 10_000):
        assert look(tmp_path, picture("PNG", (200, 200)), pixels=pixels) == {"error": "pixels"}
    assert look(tmp_path, picture("PNG", (200, 200)), pixels=40_000)["width"] == 200
    assert (tmp_path / "small").exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", picture("PNG")[:60], picture("GIF")],
    ids=["empty", "words", "half", "another kind"],
)
def test_what_is_no_good_picture_is_unreadable(tmp_path: Path, data: bytes) -> None:
    assert look(tmp_path, data)["error"] == "unreadable"


def test_it_answers_line_by_line_until_there_are_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights: list[int] = []
    monkeypatch.setattr(process, "give_up_rights", rights.append)
    monkeypatch.setattr(process, "allow_seconds", rights.append)
    (tmp_path / "source").write_bytes(picture("PNG", (3, 2)))
    asked = {"source": str(tmp_path / "source"), "decoder": "PNG", "target": str(tmp_path / "t")}
    line = json.dumps({**asked, "box": 16, "pixels": 100}) + "\n"
    monkeypatch.setattr(process.sys, "stdin", io.StringIO(line * 2))
    monkeypatch.setattr(process.sys, "stdout", out := io.StringIO())
    process.main(["--memory", "1000", "--seconds", "7"])
    assert [json.loads(answer) for answer in out.getvalue().splitlines()] == [
        {"width": 3, "height": 2}
    ] * 2
    assert rights == [1000, 7, 7]
