"""Web Push up to the notification: a page registers by the code of docs/push.md, and a real
service worker in Chromium is handed what a node sent.

No push service can be asked here. Chromium looks at the options of `subscribe` and then has nobody
to ask; the subscription is the test's. The last leg is DevTools': what the node has sent to the
local service is opened with the subscription's keys, as a browser does, and delivered by
`ServiceWorker.deliverPushMessage`.
"""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.pages import block
from tests.docs.reader import edge_url
from tests.e2e.receiver import Browser as Subscriber
from tests.e2e.receiver import Receiver
from tests.e2e.stranger import Stranger
from tests.e2e.test_push import pushing, say
from tests.sdk.test_browser import WEB
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.async_api import Browser, CDPSession, Page

    from tests.node import Node

EXAMPLE = Path(__file__).parents[2] / "examples" / "push"
TAKEN = ("AbortError", "NotAllowedError")
"""There is no push service, or a window without a profile may not ask it."""
SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(
    (shown) => ({title: shown.title, body: shown.body, tag: shown.tag}))"""


OPEN = """async ([url, token, endpoint, p256dh, auth]) => {
    const { Client } = await import("/hivewire.js");
    window.client = new Client(url, { token, device: "web" });
    await client.open();
    const subscribe = PushManager.prototype.subscribe;
    window.said = [];
    PushManager.prototype.subscribe = async function (options) {
        const wrong = { ...options, applicationServerKey: "AAAA" };
        for (const one of [wrong, options])
            said.push(await subscribe.call(this, one).then(() => "subscribed", (e) => e.name));
        return { toJSON: () => ({ endpoint, keys: { p256dh, auth } }) };
    };
}"""
"""What is around the code of the page: a client that is open, and somebody who subscribes."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[str]:
    """The example's worker behind an empty page, on an origin of its own."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<!doctype html><title>push</title>")
    for source in (EXAMPLE / "worker.js", WEB / "hivewire.js"):
        (site / source.name).write_text(source.read_text())
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def shows(page: Page, *notifications: dict[str, str]) -> bool:
    """Wait until the browser shows exactly these; false: it does not within a second."""
    for _ in range(20):
        if await page.evaluate(SHOWN) == list(notifications):
            return True
        # Nothing in the browser tells when.
        await asyncio.sleep(0.05)
    return False


async def registered_worker(page: Page, devtools: CDPSession) -> str:
    """Run the code of the page, which registers the worker; DevTools' name of the registration."""
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(event: dict[str, Any]) -> None:
        for registration in event["registrations"]:
            if not found.done() and not registration["isDeleted"]:
                found.set_result(registration["registrationId"])

    devtools.on("ServiceWorker.workerRegistrationUpdated", note)
    await devtools.send("ServiceWorker.enable")
    code = block("docs/push.md", "pushManager.subscribe").text
    await page.evaluate(f"async () => {{ {code} await client.close(); }}")
    return await asyncio.wait_for(found, 20)


async def test_a_service_worker_shows_a_message_and_takes_it_back(
    start_node: Callable[..., Node], browser: Browser, name: Callable[[str], str], pages: str
) -> None:
    async with Receiver() as service:
        node = start_node(env=pushing(service) | {"HIVEWIRE_EDGE__ORIGINS": pages})
        bob, subscribed = name("bob"), Subscriber()
        _, *subscription = subscribed.subscription(f"{service.url}/push/abc").values()
        context = await browser.new_context()
        await context.grant_permissions(["notifications"], origin=pages)
        page = await context.new_page()
        await page.goto(pages)
        await page.evaluate(OPEN, [edge_url(node), token(bob), *subscription])
        devtools = await context.new_cdp_session(page)
        worker = await registered_worker(page, devtools)
        # Chromium refuses what is no key, and takes the node's.
        refused, taken = await page.evaluate("said")
        assert refused == "InvalidAccessError"
        assert taken in TAKEN

        async def deliver(number: int, *shown: dict[str, str]) -> None:
            call = (await service.until(number))[number - 1]
            push = {"origin": pages, "registrationId": worker}
            data = json.dumps(subscribed.open(call))
            async with asyncio.timeout(20):
                # A push service repeats what its browser has not taken. DevTools does not, and a
                # worker that has just been registered misses one now and then.
                while True:
                    await devtools.send("ServiceWorker.deliverPushMessage", push | {"data": data})
                    if await shows(page, *shown):
                        return

        async with await Stranger.join(node, name("ann")) as ann:
            sent = await say(ann, bob, "hello <b>Bob</b>")
            told = {"title": name("ann"), "body": "hello <b>Bob</b>", "tag": sent["conv"]}
            await deliver(1, told)
            await say(ann, bob, "again")
            await deliver(2, told | {"body": "again"})
        async with await Stranger.join(node, bob, "desk") as desk:
            await desk.call("read", conv=sent["conv"], n=2)
            await deliver(3)
