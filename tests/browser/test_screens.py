"""The pictures of the documents are those that the page tests take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PIL import Image

from tests.browser.screens import IMAGES, IN_DOCS, line, show
from tests.docs.pages import ROOT, pages

if TYPE_CHECKING:
    from pathlib import Path


def test_every_picture_of_the_documents_is_taken_by_a_test_and_shown_by_a_page() -> None:
    there = {path.stem for path in IMAGES.glob("*.png")}
    assert there == set(IN_DOCS.values())
    shown = {name for page in pages()
             for name in re.findall(r"img/([\w-]+)\.png\)", (ROOT / page).read_text())}  # fmt: skip
    assert shown == there
    source = "".join(path.read_text() for path in (ROOT / "tests" / "browser").glob("test_*.py"))
    assert all(re.search(rf'shoot\(\S+, "{name}"\)', source) for name in IN_DOCS)


def test_a_picture_is_told_with_its_size(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (30, 20)).save(picture)
    assert line(picture) == f"{picture}  30 x 20  0 KiB"
    show(picture, tmp_path / "b.png")
    assert line(tmp_path / "b.png").endswith("30 x 20  0 KiB")
