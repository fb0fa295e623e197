"""The examples of docs/http.md run as they stand."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from tests.docs.commands import environment
from tests.docs.pages import blocks
from tests.docs.reader import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node


def test_c5_the_examples_of_the_page_run(start_node: Callable[..., Node]) -> None:
    first, *others = blocks("docs/http.md", "sh")
    serve, _, rest = first.text.partition("\n")
    key, *words = shlex.split(serve)
    assert words[:2] == ["hivewire", "serve"]
    name, _, value = key.partition("=")
    # In the reader's directory lies the node's `data`, where `hivewire token` finds its secret.
    node = start_node(
        name="data", env={name: value, "HIVEWIRE_AUTH__SECRET": None}, flags=words[2:]
    )
    script = "\n".join(["set -eu", at(node, rest), *(block.text for block in others)])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=node.data.parent,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"text":"hello"') >= 3
    assert '"disconnected":0' in done.stdout
