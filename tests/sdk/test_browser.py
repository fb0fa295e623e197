"""hivewire.js in a real browser: what IndexedDB keeps survives a page that is closed."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.sdk.application import ROOT
from tests.sdk.proxy import Proxy
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.async_api import Browser, Page

    from tests.node import Node

WEB = ROOT / "python" / "hivewire" / "web"

BEGIN = """async ([url, token, device]) => {
  const { Client, IndexedDBStorage } = await import("/hivewire.js");
  const storage = new IndexedDBStorage("chat");
  const client = new Client(url, { token, device, storage, fromStart: true });
  window.client = client;
  window.states = [];
  window.before = [...(await client.kept("event ")).values()];
  window.seen = [];
  client.on("status", ({ key, state }) => window.states.push(`${key} ${state}`));
  client.on("event", ({ seq, text }) => {
    client.keep(`event ${String(seq).padStart(8, "0")}`, text);
    window.seen.push(text);
  });
  client.open();
  return (await client.pending()).map(({ key }) => key);
}"""


class Files(http.server.SimpleHTTPRequestHandler):
    """The folder of the module, and an empty page beside it."""

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>hivewire</title>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    handler = functools.partial(Files, directory=str(WEB))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


async def settled(page: Page, condition: str) -> None:
    await page.wait_for_function(condition, timeout=20_000)


async def begin(page: Page, *given: str) -> list[str]:
    return await page.evaluate(BEGIN, list(given))


@pytest.mark.timeout(120)
async def test_a_page_that_is_closed_offline_sends_and_shows_everything_once(
    start_node: Callable[..., Node], browser: Browser, site: str
) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__ORIGINS": site.rstrip("/")})
    ann, ben = "ann", "ben"
    proxy = Proxy(node.edge)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(proxy.listening())
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(site)
        given = (proxy.url, token(ann), "tab")
        assert await begin(page, *given) == []
        send = "([to, text, key]) => void client.send(to, { text }, key).catch(() => {})"
        await page.evaluate(send, [f"user:{ben}", "one", "key-of-one"])
        await settled(page, "seen.length === 1 && client.isCaughtUp")

        proxy.target = ("127.0.0.1", 1)
        proxy.cut_all()
        await settled(page, "!client.isOnline")
        for word in ("two", "three"):
            await page.evaluate(send, [f"user:{ben}", word, f"key-of-{word}"])
        await settled(page, "states.includes('key-of-three sending')")
        await page.close()

        page = await context.new_page()
        await page.goto(site)
        assert await begin(page, *given) == ["key-of-two", "key-of-three"]
        proxy.target = node.edge
        await settled(page, "before.length + seen.length === 3 && client.isCaughtUp")
        assert await page.evaluate("[...before, ...seen]") == ["one", "two", "three"]
        assert await page.evaluate("states") == ["key-of-two sent", "key-of-three sent"]
        await settled(page, "client.keep('done', 1) || true")
        assert await page.evaluate("client.close().then(() => 'closed')") == "closed"

        page = await context.new_page()
        await page.goto(site)
        await begin(page, *given)
        await settled(page, "client.isCaughtUp")
        assert await page.evaluate("[before, seen]") == [["one", "two", "three"], []]
