"""What the pages have an operator type beside a node.

docs/admin.md, docs/demo.md, docs/media.md, docs/operations.md and docs/push.md. `DIR`, addresses
and the elided key are those of the test; all else stands in the page.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from typing import TYPE_CHECKING

from PIL import Image

from hivewire.client import Client
from tests.docs.commands import environment, lines
from tests.docs.pages import block
from tests.docs.reader import at, edge_url
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node

    Start = Callable[..., Node]

KEY = "01JDKEYKEYKEYKEYKEYKEYKEYK"


def typed(text: str, directory: Path, **more: str) -> list[str]:
    """Have bash run it; the lines of its output."""
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=directory,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


async def chatted(node: Node, to: str) -> None:
    """Seven messages of ann, one of them under a key that is known."""
    async with Client(edge_url(node), token("ann"), device="desk") as ann:
        for n in range(7):
            await ann.send(f"user:{to}", text="hi", key=KEY if n == 6 else f"key-{n:07}")


async def test_what_became_of_a_message(start_node: Start) -> None:
    node = start_node()
    await chatted(node, "ben")
    text = block("docs/admin.md", "hivewire why").text.replace("DIR", str(node.data))
    *table, told = typed(text, node.data.parent)
    assert any("synced" in line for line in table)
    assert json.loads(told)["n"] == 7


async def test_a_look_into_the_data(start_node: Start) -> None:
    node = start_node()
    await chatted(node, "bob")
    text = block("docs/operations.md", "hivewire inspect").text
    for shown, ours in (("DIR", str(node.data)), ("--after 100", "--after 6"), ("01JD…", KEY)):
        assert shown in text
        text = text.replace(shown, ours)
    found = [json.loads(line) for line in typed(text, node.data.parent)]
    assert "epoch" in str(found[0])
    assert str(found).count(KEY) >= 2


def test_dead_letters_of_a_node_that_has_stopped(start_node: Start) -> None:
    node = start_node()
    node.stop()
    text = block("docs/push.md", "hivewire push dead").text.replace("DIR", str(node.data))
    assert typed(text, node.data.parent) == ["0 to be delivered"]


def test_a_picture_is_uploaded_both_ways(start_node: Start) -> None:
    node = start_node()
    Image.new("RGB", (40, 30), "orange").save(node.data.parent / "cat.png")
    text = at(node, block("docs/media.md", "--data-binary").text)
    first, second = text.splitlines()
    found = typed(f"{first}; echo; {second}", node.data.parent, TOKEN=token("ann"))
    one, other = map(json.loads, found)
    assert one["id"] == other["id"]
    assert (one["width"], one["height"]) == (40, 30)


def test_the_demo_chat_is_there(start_node: Start) -> None:
    ((program, verb, *flags),) = lines(block("docs/demo.md", "hivewire serve"))
    assert (program, verb) == ("hivewire", "serve")
    node = start_node(flags=flags, env={"HIVEWIRE_AUTH__SECRET": None})
    with urllib.request.urlopen("http://{}:{}/".format(*node.api), timeout=10) as answer:
        assert b"<title>hivewire" in answer.read()
