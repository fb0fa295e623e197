"""The blocks of docs/sdk-js.md: a page in Chromium, and a bot in Node."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import threading
from typing import TYPE_CHECKING

import pytest

from hivewire.client import Client
from tests.docs.pages import block
from tests.docs.reader import at, edge_url
from tests.sdk.application import HERE, ROOT, install_packages, node_command
from tests.sdk.test_browser import Files
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.node import Node

PAGE = "docs/sdk-js.md"
WEB = ROOT / "python" / "hivewire" / "web"
AROUND = """
window.lines = []; window.states = []; window.shown = []; window.drawn = [];
window.showBanner = (offline) => lines.push(offline);
window.markMessage = (key, state) => states.push(state);
window.showMessage = (event) => shown.push(event.text);
window.draw = (event) => drawn.push(event.text);
"""
"""What an application has around the blocks."""
READER = """
import { Client, IndexedDBStorage } from "./hivewire.js";
const storage = new IndexedDBStorage("reader");
const client = new Client(url, { token, device: "tab", storage, fromStart: true });
window.reader = client;
client.open();
"""
LEARNER = """
import { Adaptive, Client, IndexedDBStorage } from "./hivewire.js";
const storage = new IndexedDBStorage("learner");
"""


@pytest.fixture
def site() -> Iterator[str]:
    handler = functools.partial(Files, directory=str(WEB))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


async def test_the_blocks_of_a_page(
    start_node: Callable[..., Node], browser: Browser, site: str
) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__ORIGINS": site.rstrip("/")})
    page = await browser.new_page()
    await page.goto(site)
    await page.evaluate(
        AROUND + f"window.token = {token('ann')!r}; window.url = {edge_url(node)!r};"
    )
    modules = [
        at(node, block(PAGE, 'IndexedDBStorage("chat-ann-laptop")').text),
        READER + block(PAGE, "draw(event)").text,
        LEARNER + block(PAGE, "new Adaptive").text + "window.heartbeat = heartbeat;",
    ]
    for module in modules:
        await page.add_script_tag(type="module", content=module)
    await page.wait_for_function("shown.length === 1 && drawn.length === 1", timeout=20_000)
    assert await page.evaluate("[shown[0], drawn[0], lines[0]]") == ["hi", "hi", False]
    assert await page.evaluate("states.slice(0, 2)") == ["sending", "sent"]
    await page.wait_for_function("window.heartbeat && heartbeat.memory()")
    kept = "reader.kept('event ').then((records) => records.has('event 000000000001'))"
    await page.wait_for_function(kept, timeout=20_000)
    await page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert "4g" in await page.evaluate("localStorage.pace")


async def test_the_bot_answers(start_node: Callable[..., Node], tmp_path: Path) -> None:
    install_packages()
    node = start_node()
    packages = tmp_path / "node_modules"
    packages.mkdir()
    (packages / "hivewire").symlink_to(WEB)
    (packages / "ws").symlink_to(HERE / "node_modules" / "ws")
    text = at(node, block(PAGE, 'FileStorage("bot.jsonl")').text)
    (tmp_path / "bot.mjs").write_text(f"const token = process.env.TOKEN;\n{text}")
    environment = os.environ | {"TOKEN": token("bot")}
    command = [node_command(), "--preserve-symlinks", "bot.mjs"]
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment)
    try:
        async with Client(edge_url(node), token("ann"), device="desk", from_start=True) as ann:
            # A new device begins at the head: the bot has to be there before the message.
            pushes = ann.pushes()
            changes = await ann.watch(["bot"])
            while not any(change.state == "online" for change in changes):
                changes = getattr(await anext(pushes), "changes", ())
            await ann.send("user:bot", text="are you there?")
            texts = [(await anext(ann)).text for _ in range(2)]
        assert texts == ["are you there?", "you said: are you there?"]
    finally:
        process.kill()
        await process.wait()
