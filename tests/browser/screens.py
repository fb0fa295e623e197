"""The pictures that the page tests have left in reports/screens: one line each, with its size.

`--docs` copies those that the documents show into docs/img; `make screens` does all of it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from PIL import Image

from tests.browser.chromium import SCREENS
from tests.sdk.application import ROOT

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = ROOT / "docs" / "img"
IN_DOCS: Final = {
    "admin": "admin",
    "group": "demo-group",
    "offline": "demo-offline",
    "narrow": "demo-narrow",
}
"""Which picture is shown under which name."""


def main() -> None:
    """Say what there is."""
    if "--docs" in sys.argv[1:]:
        for name, shown in IN_DOCS.items():
            show(SCREENS / f"{name}.png", IMAGES / f"{shown}.png")
    for path in sorted(SCREENS.glob("*.png")):
        print(line(path))  # noqa: T201 - for who reads what CI says


def line(path: Path) -> str:
    """One picture: where it is, its size in pixels and in bytes."""
    with Image.open(path) as picture:
        width, height = picture.size
    where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{where}  {width} x {height}  {path.stat().st_size / 1024:.0f} KiB"


def show(source: Path, target: Path) -> None:
    """Copy a picture in as few bytes as it takes."""
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(256).save(target, optimize=True)


if __name__ == "__main__":
    main()
