"""The applications of README.md and docs/hooks.md, run under the names that they have there."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from hivewire.client import Client, CommandFailed
from tests.docs.commands import lines
from tests.docs.pages import ROOT, block
from tests.docs.reader import edge_url
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.docs.pages import Block
    from tests.node import Node

LUNCH = """

@app.on_event
async def lunch(event: hivewire.Event) -> None:
    if event.type == "message" and event.text == "time for lunch":
{block}
        await app.send("bot", f"user:{{event.sender}}", text=f"{{sent.conv}} {{sent.n}}")
"""


@pytest.fixture
def run_application(
    start_node: Callable[..., Node], tmp_path: Path
) -> Callable[[Block, str], Node]:
    """Write a block into the file that its first line names, and start a node with it, as another
    block says."""

    def run(application: Block, start: Block, more: str = "") -> Node:
        assert application.file is not None
        (tmp_path / application.file).write_text(application.text + more)
        path = f"{tmp_path}:{ROOT / 'python'}"
        module = application.file.removesuffix(".py")
        ((*_, name),) = (line for line in lines(start) if module in line[-1])
        return start_node(env={"PYTHONPATH": path}, flags=[name])

    return run


async def test_the_readmes_bot_answers(run_application: Callable[..., Node]) -> None:
    start = block("README.md", "serve --dev echo:app")
    node = run_application(block("README.md", "# echo.py"), start)
    async with Client(edge_url(node), token("ann"), device="laptop") as ann:
        await ann.send("user:bot", text="hello")
        assert [(await anext(ann)).text for _ in range(2)] == ["hello", "you said: hello"]


async def test_the_shop_refuses_greets_and_sends(run_application: Callable[..., Node]) -> None:
    shop, lunch = block("docs/hooks.md", "# shop.py"), block("docs/hooks.md", 'key="lunch-')
    more = LUNCH.format(block=textwrap.indent(lunch.text, " " * 8))
    node = run_application(shop, block("docs/hooks.md", "serve --dev shop:app"), more)
    url = edge_url(node)
    async with (
        Client(url, token("ann"), device="laptop", from_start=True) as ann,
        Client(url, token("bot"), device="desk") as bot,
    ):
        await bot.group_create(group="team", members=["ann"])
        with pytest.raises(CommandFailed, match="mind your words"):
            await ann.send("user:ben", text="damn")
        await ann.send("user:ben", text="hello")
        assert await text_from(ann, "direct:ann,bot") == "Hello to you!"
        await ann.send("user:ben", text="time for lunch")
        assert await text_from(ann, "group:team") == "lunch?"
        assert await text_from(ann, "direct:ann,bot") == "group:team 3"


async def text_from(client: Client, conv: str) -> str | None:
    """The text of the next message in that conversation."""
    async for event in client:
        if event.conv == conv and event.type == "message":
            return event.text
    return None
