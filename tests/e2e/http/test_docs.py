"""The examples of docs/http.md run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.http.web import url
from tests.node import API_KEY
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

PAGE = Path(__file__).parents[3] / "docs" / "http.md"


def test_c5_the_examples_of_the_page_run(start_node: Callable[..., Node]) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    node = start_node()
    environment = os.environ | {"API": url(node), "KEY": API_KEY, "TOKEN": token("ann")}
    script = "set -eu\n" + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"text":"hello"') >= 3
    assert '"disconnected":0' in done.stdout
