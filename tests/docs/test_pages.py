"""Each block of each page is run by a test; what it names is there."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from itertools import dropwhile
from typing import Any

import pytest
import typer.main

from hivewire.cli import cli
from tests.docs.commands import lines, run
from tests.docs.pages import ROOT, Block, blocks, pages

ASSIGNMENT = re.compile(r"\w+=")
DRAWN = {"", "mermaid", "text"}
"""Languages of pictures and of output: nothing to run."""
RUN_BY = {
    "README.md sh": {"tests/docs/test_tutorial.py": 2, "tests/docs/test_commands.py": 2},
    "docs/admin.md sh": {"tests/docs/test_beside_a_node.py": 1},
    "README.md python": {"tests/docs/test_python.py": 2},
    "docs/client.md python": {"tests/docs/test_python.py": 5},
    "docs/demo.md sh": {"tests/docs/test_beside_a_node.py": 1},
    "docs/edge.md toml": {"tests/docs/test_settings.py": 1},
    "docs/e2ee.md json": {"tests/docs/test_security.py": 1},
    "docs/hooks.md sh": {"tests/docs/test_applications.py": 1},
    "docs/hooks.md python": {"tests/docs/test_applications.py": 2},
    "docs/http.md sh": {"tests/e2e/http/test_docs.py": 3},
    "docs/load.md sh": {"tests/docs/test_commands.py": 3},
    "docs/media.md sh": {"tests/docs/test_beside_a_node.py": 1},
    "docs/media.md toml": {"tests/docs/test_settings.py": 1},
    "docs/load.md python": {"tests/docs/test_python.py": 2},
    "docs/operations.md sh": {
        "tests/docs/test_operations.py": 3,
        "tests/docs/test_beside_a_node.py": 1,
        "tests/e2e/test_package.py": 1,
    },
    "docs/operations.md toml": {"tests/docs/test_operations.py": 1},
    "docs/push.md js": {"tests/e2e/test_push_browser.py": 1},
    "docs/push.md sh": {"tests/docs/test_beside_a_node.py": 1},
    "docs/push.md toml": {"tests/docs/test_settings.py": 2},
    "docs/reliability.md sh": {"tests/docs/test_commands.py": 1},
    "docs/scale.md sh": {"tests/docs/test_commands.py": 1},
    "docs/security.md toml": {"tests/docs/test_security.py": 1},
    "docs/sdk-js.md js": {"tests/docs/test_javascript.py": 4},
    "docs/sdk-js.md ts": {"tests/sdk/test_package.py": 1},
    "docs/simulation.md sh": {"tests/docs/test_commands.py": 1},
    "docs/tutorial.md sh": {"tests/docs/test_tutorial.py": 11},
    "docs/tutorial.md python": {"tests/docs/test_tutorial.py": 3},
    "docs/tutorial.md toml": {"tests/docs/test_tutorial.py": 1},
}
"""Which tests run the blocks of a page and language, and how many they are: one more is one that
nobody runs yet."""
BY_CI = {"make test", "python -m pytest tests/sim", "python -m pytest tests/chaos"}
"""The commands that run the tests, and are run by CI itself: one more is a decision."""
ALL = [block for page in pages() for block in blocks(page) if block.language not in DRAWN]


def named(block: Block) -> str:
    return block.name


def test_every_block_is_run() -> None:
    """Run a new block in a test, and count it in RUN_BY."""
    found = Counter(f"{b.page} {b.language}" for b in ALL)
    assert dict(found) == {name: sum(counts.values()) for name, counts in RUN_BY.items()}


@pytest.mark.parametrize(("name", "test"), [(n, test) for n in RUN_BY for test in RUN_BY[n]])
def test_the_test_of_a_page_reads_that_page(name: str, test: str) -> None:
    page = name.partition(" ")[0]
    text = (ROOT / test).read_text()
    assert page in text or f'"{page.removeprefix("docs/")}"' in text


def test_every_comment_about_what_ci_runs_is_understood() -> None:
    written = sum((ROOT / page).read_text().count("<!-- run by CI") for page in pages())
    assert {block.by_ci for block in ALL if block.by_ci} == BY_CI
    assert written == len(BY_CI)


@pytest.mark.parametrize("block", [b for b in ALL if b.by_ci], ids=named)
def test_ci_runs_what_no_test_can(block: Block) -> None:
    """`.ci/run` calls `make test`, that calls pytest for everything, and everything is more."""
    assert block.by_ci is not None
    words = block.by_ci.split()
    assert words in lines(block)
    if words[0] == "make":
        assert f"\n{block.by_ci} " in (ROOT / ".ci/run").read_text()
    else:
        assert words[:-1] == ["python", "-m", "pytest"]
        assert run(["make", "test", "--dry-run"]).endswith(" -m pytest\n")
        assert "/test_" in run([*words, "--collect-only", "--quiet"])


def test_every_fence_is_understood() -> None:
    """An opening that no pattern of ours takes would hide its block."""
    for page in pages():
        fences = re.findall(r"^\s*(?:```|~~~)", (ROOT / page).read_text(), re.MULTILINE)
        assert len(fences) == 2 * len(blocks(page)), page


COMMAND = re.compile(
    r"\n\n    (?:\[\w+\]\n|(?:export|hivewire|make|locust|curl|pip|python|\w+=\S+ hivewire) )"
)


def test_no_command_hides_in_an_indented_block() -> None:
    """Settings and commands stand in fences, where they are found and run."""
    hidden = {page for page in pages() if COMMAND.search((ROOT / page).read_text())}
    assert hidden == {"docs/limits.md"}, "which shows the form of all settings"


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
    for line in lines(block):
        words = list(dropwhile(ASSIGNMENT.match, line))
        if not words:
            continue
        program = words[0].rpartition("/")[2]
        if program == "make":
            assert words[1] in targets(), " ".join(words)
        elif program == "hivewire":
            command = hivewire(words[1:])
            missing = {w for w in words[2:] if w.startswith("--")} - options(command)
            assert not missing, f"hivewire {words[1]} has no {missing}"
        elif words[1:3] == ["-m", "pytest"]:
            assert all((ROOT / word).exists() for word in words[3:] if "/" in word)
        elif words[1:2] == ["-m"]:
            assert (ROOT / words[2].replace(".", "/")).with_suffix(".py").exists(), words


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def hivewire(words: list[str]) -> Any:
    command: Any = typer.main.get_command(cli)
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"there is no `hivewire … {name}`"
        command = command.commands[name]
    return command


def options(command: Any) -> set[str]:
    known = {option for parameter in command.params for option in parameter.opts}
    return {*known, "--help"}
