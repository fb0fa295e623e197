"""Code blocks of the documents: where they stand, and which command is not for a test to run.

What runs the tests cannot be run by one; a comment of the page says so above the fence, and that CI
does run it is checked:

    <!-- run by CI, `make test`: this very check is a part of it -->
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?:<!-- run by CI, `(?P<by_ci>[^`]+)`: .+? -->\n\n?)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FILE_NAME = re.compile(r"^(?:#|//) ([\w-]+\.\w+)$")


class Block(NamedTuple):
    """One fenced block of a page."""

    page: str
    number: int  # of this page and language, from 0
    language: str
    text: str
    by_ci: str | None
    """The command of it that runs the tests."""

    @property
    def name(self) -> str:
        """As it is told in a test's id: `docs/client.md python 0`."""
        return f"{self.page} {self.language} {self.number}"

    @property
    def file(self) -> str | None:
        """The name of the file that it is, if its first line is a comment with one."""
        found = FILE_NAME.match(self.text.partition("\n")[0])
        return found and found[1]


def pages() -> list[str]:
    """README.md and every page of docs/, by their paths."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "docs/*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return ["README.md", *(path for path in listed.splitlines() if (ROOT / path).exists())]


def blocks(page: str, language: str | None = None) -> list[Block]:
    """The blocks of a page, or those of one language."""
    found: list[Block] = []
    for match in FENCE.finditer((ROOT / page).read_text()):
        number = sum(block.language == match["language"] for block in found)
        found.append(Block(page, number, match["language"], match["text"], match["by_ci"]))
    return [block for block in found if language in (None, block.language)]


def block(page: str, containing: str) -> Block:
    """The one block of a page with these words; a page that was rewritten fails here."""
    found = [block for block in blocks(page) if containing in f"\n{block.text}"]
    assert len(found) == 1, f"{page}: {len(found)} blocks with {containing!r}"
    return found[0]
