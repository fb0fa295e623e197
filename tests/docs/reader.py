"""A reader of a page: pastes a Python block into a program that has the names around it."""

from __future__ import annotations

import ast
import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hivewire.client import Client
    from tests.docs.pages import Block
    from tests.node import Node

EXAMPLES = ("wss://chat.example/v1/ws", "ws://127.0.0.1:8000/v1/ws")
"""What the pages call the node."""
SECONDS = 20.0


def edge_url(node: Node) -> str:
    return "ws://{}:{}/v1/ws".format(*node.edge)


def at(node: Node, text: str) -> str:
    """The text with the address of this node, and of its api, where it names one."""
    for example in EXAMPLES:
        text = text.replace(example, edge_url(node))
    return text.replace("127.0.0.1:8001", "{}:{}".format(*node.api))


async def paste(
    block: Block,
    node: Node,
    names: dict[str, Any],
    until: Callable[[], bool] | None = None,
) -> None:
    """Run a block to its end, or until that holds if it would go on for ever.

    Its variables go into `names`, and what it prints is gathered in `names["printed"]`.
    """
    printed: list[tuple[object, ...]] = names.setdefault("printed", [])
    names["print"] = lambda *words: printed.append(words)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    running = eval(compile(at(node, block.text), block.name, "exec", flags=flags), names)
    if running is None:
        return
    task = asyncio.ensure_future(running)
    async with asyncio.timeout(SECONDS):
        # What the page's words bring about is seen from outside only.
        while not task.done() and not (until and until()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    endless = not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert endless == (until is not None), f"{block.name}: it ended, or it did not"


class Watched:
    """A client whose pushes are counted when the block is done with them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.handled: list[str] = []

    async def pushes(self) -> AsyncIterator[object]:
        async for push in self.client.pushes():
            yield push
            self.handled.append(type(push).__name__)
