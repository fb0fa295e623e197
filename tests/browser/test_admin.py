"""The admin page in a real Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.chromium import shoot
from tests.browser.messenger import Person, api
from tests.browser.test_demo import assert_accessible
from tests.e2e.stranger import Stranger, key
from tests.node import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser, Page

    from tests.node import Node

pytestmark = pytest.mark.timeout(120)
SECOND = 1000


async def test_figures_users_and_the_way_of_a_message(
    start_node: Callable[..., Node], browser: Browser
) -> None:
    node = start_node(flags=["--dev"])
    ann = await Person.at(browser, node, "ann")
    ben = await Person.at(browser, node, "ben")
    await ann.write_to("ben")
    await ann.say("hello")
    await ben.choose("ann")
    await ann.sees_ticks("hello", "read")

    page = await browser.new_page(viewport={"width": 1280, "height": 1000})
    await page.clock.install()
    await unlock(node, page)
    await expect(page.locator("#users tr")).to_have_count(2)
    await half_a_minute(node, page)
    connections = page.locator(".chart").first.locator("output")
    await expect(connections).to_have_text("2")
    for chart in ("Messages", "Delivery, p99", "Syncs to disk", "Processor"):
        line = page.locator(".chart", has_text=chart).locator(".line")
        await expect(line).to_have_attribute("d", re.compile(r"M.*L.*L"))

    # Two answers that came at once at the end of that time are no moment of great haste.
    busiest = await page.locator(".chart", has_text="Processor").inner_text()
    assert float(re.findall(r"highest ([\d.]+) %", busiest)[0]) < 25

    await page.fill("#trace-conv", "direct:ann,ben")
    await page.fill("#trace-n", "1")
    await page.press("#trace-n", "Enter")
    steps = page.locator(".steps b")
    await expect(steps).to_have_text(["received", "accepted", "written", "synced", "queued"])
    told = page.locator(".recipients > li")
    await expect(told).to_have_count(2)
    own, other = told.nth(0), told.nth(1)
    await expect(own).to_contain_text("ann sent it")
    await expect(own.locator(".way b")).to_have_text(["answered", "acked"])
    await expect(other).to_contain_text("ben")
    way = other.locator("li", has_text="web-1").locator(".way b")
    await expect(way).to_have_text(["written", "acked"])
    await shoot(page, "admin")
    await assert_accessible(page)
    await page.emulate_media(color_scheme="dark")
    await assert_accessible(page)
    await shoot(page, "admin-dark")
    await page.fill("#trace-n", "9")
    await page.press("#trace-n", "Enter")
    await expect(page.locator("#traced")).to_have_text("the conversation ends at 1")

    await page.fill("#search-text", "BE")
    await page.clock.run_for(SECOND)
    await expect(page.locator("#users tr")).to_have_count(1)
    await expect(page.locator("#users td").first).to_have_attribute("title", re.compile("web-1: "))
    await page.get_by_label("Disconnect ben").click()
    await expect(ben.page.locator("#banner")).to_contain_text("The server has ended this")
    await page.clock.run_for(SECOND)
    await expect(page.locator("#users tr")).to_have_count(0)


async def unlock(node: Node, page: Page) -> None:
    """Open the page, with a wrong key first."""
    await page.goto(f"{api(node)}/admin")
    await page.fill("#key", "no key at all")
    await page.press("#key", "Enter")
    await expect(page.locator("#unlock-problem")).to_have_text("This key was refused.")
    await shoot(page, "admin-locked")
    await page.fill("#key", API_KEY)
    await page.press("#key", "Enter")


async def half_a_minute(node: Node, page: Page) -> None:
    """Others come, say something, and go, while the page's clock runs ahead."""
    others: list[Stranger] = []
    for step in range(16):
        if step in (2, 3, 6, 7, 8):
            others.append(await Stranger.join(node, f"guest-{step}"))
        for other in others:
            for _ in range(abs(8 - step)):
                await other.send("user:guest-2", "hi", key())
        if step in (11, 12, 13, 14, 15):
            await others.pop().leave()
        async with page.expect_response("**/metrics"):
            await page.clock.run_for(2 * SECOND)
    async with page.expect_response("**/connections*"):
        await page.clock.run_for(5 * SECOND)


def test_without_dev_there_is_no_demo(start_node: Callable[..., Node]) -> None:
    with httpx.Client(base_url=api(start_node())) as http:
        assert http.get("/").status_code == 404
        assert http.get("/demo/app.js").status_code == 404
        assert http.post("/demo/token", json={"user": "ann"}).status_code == 404
        assert http.get("/admin").status_code == 200
