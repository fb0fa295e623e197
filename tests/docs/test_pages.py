"""Each block of each page is run by a test, or says in the page why not; what it names is there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from hivewire.cli import cli
from tests.docs.pages import ROOT, Block, blocks, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAWN = {"", "mermaid", "text"}
"""Languages of pictures and of output: nothing to run."""
RUN_BY = {
    "README.md sh": ("tests/docs/test_tutorial.py", 2),
    "README.md python": ("tests/docs/test_python.py", 2),
    "docs/client.md python": ("tests/docs/test_python.py", 5),
    "docs/e2ee.md json": ("tests/docs/test_security.py", 1),
    "docs/hooks.md python": ("tests/docs/test_applications.py", 2),
    "docs/http.md sh": ("tests/e2e/http/test_docs.py", 2),
    "docs/load.md python": ("tests/docs/test_python.py", 2),
    "docs/operations.md sh": ("tests/docs/test_operations.py", 3),
    "docs/operations.md toml": ("tests/docs/test_operations.py", 1),
    "docs/security.md toml": ("tests/docs/test_security.py", 1),
    "docs/sdk-js.md js": ("tests/docs/test_javascript.py", 4),
    "docs/tutorial.md sh": ("tests/docs/test_tutorial.py", 11),
    "docs/tutorial.md python": ("tests/docs/test_tutorial.py", 3),
    "docs/tutorial.md toml": ("tests/docs/test_tutorial.py", 1),
}
"""Which test runs the blocks of a page and language, and how many they are: one more is one that
nobody runs yet."""
ALL = [block for page in pages() for block in blocks(page) if block.language not in DRAWN]


def named(block: Block) -> str:
    return block.name


def test_every_block_is_run_or_says_why_not() -> None:
    """Run a new block in a test and count it in RUN_BY, or say `<!-- not run: reason -->`."""
    found = Counter(f"{b.page} {b.language}" for b in ALL if b.reason is None)
    assert dict(found) == {name: count for name, (_, count) in RUN_BY.items()}


@pytest.mark.parametrize("name", RUN_BY)
def test_the_test_of_a_page_reads_that_page(name: str) -> None:
    page = name.partition(" ")[0]
    text = (ROOT / RUN_BY[name][0]).read_text()
    assert page in text or f'"{page.removeprefix("docs/")}"' in text


def test_every_fence_is_understood() -> None:
    """An opening that no pattern of ours takes would hide its block."""
    for page in pages():
        fences = re.findall(r"^\s*(?:```|~~~)", (ROOT / page).read_text(), re.MULTILINE)
        assert len(fences) == 2 * len(blocks(page)), page


def test_json_parses() -> None:
    for block in ALL:
        if block.language == "json":
            json.loads(block.text)


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "python"], ids=named)
def test_python_compiles(block: Block) -> None:
    indented = "".join(f"    {line}\n" for line in block.text.splitlines())
    compile(f"async def page():\n{indented}", block.name, "exec")


SHELL = [block for block in ALL if block.language in ("sh", "bash", "console")]


@pytest.mark.parametrize("block", SHELL, ids=named)
def test_the_shell_takes_it(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)


@pytest.mark.parametrize("block", SHELL, ids=named)
def test_its_commands_are_there(block: Block) -> None:
    """Targets of the Makefile, commands and options of `hivewire`, files of the repository."""
    for words in commands(block.text):
        program = words[0].rpartition("/")[2]
        if program == "make":
            assert words[1] in targets(), " ".join(words)
        elif program == "hivewire":
            command = hivewire(words[1])
            missing = {w for w in words[2:] if w.startswith("--")} - options(command)
            assert not missing, f"hivewire {words[1]} has no {missing}"
        elif words[1:3] == ["-m", "pytest"]:
            assert all((ROOT / word).exists() for word in words[3:] if "/" in word)
        elif words[1:2] == ["-m"]:
            assert (ROOT / words[2].replace(".", "/")).with_suffix(".py").exists(), words


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a script as words, without assignments in front and comments."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.match(r"\w+=", words[0]):
            del words[0]
        if words:
            yield words


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def hivewire(name: str) -> Any:
    group: Any = typer.main.get_command(cli)
    assert name in group.commands, f"there is no `hivewire {name}`"
    return group.commands[name]


def options(command: Any) -> set[str]:
    known = {option for parameter in command.params for option in parameter.opts}
    return {*known, "--help"}
