"""Commands of a page as its reader types them, at the root of this repository.

What is large has its numbers in variables of the command line, and a test gives it smaller ones.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docs.pages import Block

AS_BUILT = ("--old-file=.venv/.tools", "--old-file=.venv/.engine")
"""What the other tests run on is not installed or built anew under them, however old it is."""
SECONDS = 150
UNHURRIED = (
    "--max-answer-p99 60000 --max-delivery-p99 60000 --max-lag-p99 60000 --max-comeback 60 "
    "--max-crew-cpu 1000 --max-node-cpu 1000 --max-node-memory 10000 --pace 20"
)
"""A machine that stalls must not fail what is to show that the command works."""


def environment(**more: str) -> dict[str, str]:
    """A reader's shell: with the tools of this environment, and nothing of the tests' own."""
    ours = ("HIVEWIRE_", "LOCUST_", "MAKE", "MFLAGS", "PYTEST")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = f"{Path(sys.executable).parent}:{clean['PATH']}"
    return clean | {"PATH": path} | more


def lines(block: Block) -> Iterator[list[str]]:
    """The commands of a block as words; assignments stand in front."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def smaller(words: list[str], **numbers: str) -> list[str]:
    """A command with other values of its variables, or with some that it does not name."""
    given = {name: f"{name}={value}" for name, value in numbers.items()}
    kept = [given.pop(word.partition("=")[0], word) for word in words]
    return ["env", *given.values(), *kept] if words[0] != "make" else [*kept, *given.values()]


def as_built(words: list[str]) -> list[str]:
    """A `make` that takes the environment as it is."""
    assert words[0] == "make"
    return ["make", *AS_BUILT, *words[1:]]


def run(words: list[str], *, seconds: float = SECONDS, **more: str) -> str:
    """Run a command, perhaps with assignments in front of it; what it said."""
    command = as_built(words) if words[0] == "make" else words
    done = subprocess.run(
        ["env", *command],
        cwd=ROOT,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(words)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def side_by_side(commands: list[list[str]], **more: str) -> list[str]:
    """Run some that mostly wait; what each said."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(partial(run, **more), commands))
