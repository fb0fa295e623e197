"""The admin page in a real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.messenger import Person, api, browsing, shoot
from tests.browser.test_demo import assert_accessible
from tests.node import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

pytestmark = pytest.mark.timeout(120)


async def test_figures_users_and_the_way_of_a_message(start_node: Callable[..., Node]) -> None:
    node = start_node(flags=["--dev"])
    async with browsing() as browser:
        ann = await Person.at(browser, node, "ann")
        ben = await Person.at(browser, node, "ben")
        await ann.write_to("ben")
        await ann.say("hello")
        await ben.choose("ann")
        await ann.sees_ticks("hello", "read")

        page = await browser.new_page(viewport={"width": 1280, "height": 1000})
        await page.goto(f"{api(node)}/admin")
        await page.fill("#key", "no key at all")
        await page.press("#key", "Enter")
        await expect(page.locator("#unlock-problem")).to_have_text("This key was refused.")
        await page.fill("#key", API_KEY)
        await page.press("#key", "Enter")
        await expect(page.locator("#users tr")).to_have_count(2)
        connections = page.locator(".chart", has_text="Connections").locator("output")
        await expect(connections).to_have_text("2")

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
        await expect(other.locator("li", has_text="web-1").locator(".way b")).to_have_text(
            ["written", "acked"]
        )
        await shoot(page, "admin")
        await assert_accessible(page)
        await page.fill("#trace-n", "9")
        await page.press("#trace-n", "Enter")
        await expect(page.locator("#traced")).to_have_text("the conversation ends at 1")

        await page.fill("#search-text", "BE")
        await expect(page.locator("#users tr")).to_have_count(1)
        await page.get_by_label("Disconnect ben").click()
        await expect(ben.page.locator("#banner")).to_contain_text("The server has ended this")
        await expect(page.locator("#users tr")).to_have_count(0)


async def test_without_dev_there_is_no_demo(start_node: Callable[..., Node]) -> None:
    node = start_node()
    async with browsing() as browser:
        page = await browser.new_page()
        answer = await page.goto(api(node))
        assert answer is not None
        assert answer.status == 404
