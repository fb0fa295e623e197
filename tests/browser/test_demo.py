"""The demo chat in a real Chromium, over a real node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image, ImageDraw, ImageOps
from playwright.async_api import expect

from tests.browser.chromium import shoot
from tests.browser.messenger import Person, api

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.node import Node

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def demo(start_node: Callable[..., Node]) -> Node:
    return start_node(flags=["--dev"], env={"HIVEWIRE_PRESENCE__LINGER": "1s"})


async def restarted(node: Node) -> None:
    """The same node again, at the same addresses."""
    edge, api_ = ("{}:{}".format(*address) for address in (node.edge, node.api))
    node.flags += ["--edge", edge, "--api", api_]
    node.restart()


def sunset(path: Path) -> Path:
    """A picture to send."""
    sky = Image.linear_gradient("L").resize((480, 300))
    picture = ImageOps.colorize(sky, black="#3b2a5a", mid="#d9603b", white="#ffd27a")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((290, 130, 370, 210), fill="#fff1c1")
    hills = [(0, 300), (0, 230), (130, 180), (250, 245), (370, 195), (480, 235), (480, 300)]
    draw.polygon(hills, fill="#1d1a2b")
    picture.save(path)
    return path


async def assert_accessible(page: Page) -> None:
    """Nothing that an automatic look finds: names, roles, contrast, structure."""
    found = await Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()


async def test_nothing_is_lost_or_doubled_when_one_goes_offline_and_the_node_is_killed(
    demo: Node, browser: Browser
) -> None:
    ann = await Person.at(browser, demo, "ann")
    ben = await Person.at(browser, demo, "ben", color_scheme="dark")
    await ann.write_to("ben")
    await ann.say("one", "two")
    await expect(ben.page.locator(".badge")).to_contain_text("2")
    await ann.sees_ticks("two", "delivered")
    await ben.choose("ann")
    await ann.sees_ticks("two", "read")

    await ben.context.set_offline(True)
    await ben.is_offline()
    await ann.say("three")
    await ann.sees_ticks("three", "sent")
    demo.kill9()
    await ann.is_offline()
    await ann.say("four", "five")
    await ben.say("six")
    await expect(ann.page.locator(".tick.sending")).to_have_count(2)
    await shoot(ann.page, "offline")

    await ben.context.set_offline(False)
    await restarted(demo)
    for one in (ann, ben):
        await one.is_online()
        await expect(one.page.locator(".message .text")).to_have_count(6)
        await expect(one.page.locator(".tick.sending")).to_have_count(0)
    order = await ann.page.locator(".message .text").all_text_contents()
    assert sorted(order) == sorted(["one", "two", "three", "four", "five", "six"])
    assert [text for text in order if text != "six"] == ["one", "two", "three", "four", "five"]
    await ben.sees(*order)
    await ann.page.reload()
    await ann.is_online()
    await ann.choose("ben")
    await ann.sees(*order)
    for one in (ann, ben):
        one.assert_unharmed()


async def test_a_group_with_files_answers_and_changes(
    demo: Node, browser: Browser, tmp_path: Path
) -> None:
    picture = sunset(tmp_path / "sunset.png")
    tall = {"viewport": {"width": 1000, "height": 800}}
    ann, ben, cat = [await Person.at(browser, demo, name, **tall) for name in ("ann", "ben", "cat")]
    await ann.page.click("#new-group")
    await ann.page.fill("#dialog-name", "Hikers")
    await ann.page.fill("#dialog-people", "ben")
    await ann.page.press("#dialog-people", "Enter")
    await ann.say("Who comes along?")
    await ben.choose("Hikers")
    await ann.page.click("#add-members")
    await ann.page.fill("#dialog-people", "cat")
    await ann.page.press("#dialog-people", "Enter")
    await cat.choose("Hikers")
    await expect(cat.page.get_by_text("ann added you")).to_be_visible()
    await expect(ann.page.get_by_text("You joined, you added ben")).to_be_visible()
    await expect(cat.page.locator("#subtitle")).to_contain_text("3 members, 3 online")

    await cat.page.type("#compose-text", "I")
    await expect(ann.page.locator("#typing")).to_have_text("cat is typing…")
    await cat.say("I do!")
    await ben.attach(picture)
    shown = ann.page.locator(".picture img")
    await expect(shown).to_be_visible()
    await ann.page.wait_for_function("document.querySelector('.picture img').naturalWidth > 0")

    question = ben.message("Who comes along?")
    await question.hover()
    await question.get_by_label("Reply").click()
    await ben.say("Me to")
    await expect(cat.message("Me to").locator("blockquote")).to_contain_text("Who comes along?")
    await ben.page.press("#compose-text", "ArrowUp")
    await ben.say("Me too")
    await expect(cat.message("Me too")).to_contain_text("edited")
    answer = cat.message("Me too")
    await answer.hover()
    await answer.get_by_label("React with 🎉").click()
    await expect(ben.message("Me too").locator(".reactions")).to_have_text("🎉 1")
    await ann.say("Wrong chat")
    wrong = ann.message("Wrong chat")
    await wrong.hover()
    await wrong.get_by_label("Delete").click()
    await expect(ben.page.locator(".gone")).to_have_text("Message deleted")
    await ann.page.mouse.move(0, 0)
    await shoot(ann.page, "group")
    await assert_accessible(ann.page)
    for one in (ann, ben, cat):
        one.assert_unharmed()


async def test_history_comes_as_one_scrolls_up_and_stays_where_one_reads(
    demo: Node, browser: Browser, backend: Callable[..., None]
) -> None:
    backend(demo, [f"message {number}" for number in range(1, 121)])
    ann = await Person.at(browser, demo, "ann")
    await ann.choose("ben")
    texts = ann.page.locator(".message .text")
    await expect(texts).to_have_count(40)
    await expect(texts.last).to_be_in_viewport()
    seen = ann.message("message 81")
    await ann.page.evaluate("document.getElementById('scroll').scrollTop = 100")
    await expect(texts).to_have_count(80)
    await expect(seen).to_be_in_viewport()
    await ann.page.evaluate("document.getElementById('scroll').scrollTop = 0")
    await expect(texts).to_have_count(120)
    await expect(texts).to_have_text([f"message {number}" for number in range(1, 121)])
    ann.assert_unharmed()


async def test_by_keyboard_alone_and_on_a_narrow_screen(
    demo: Node, browser: Browser, backend: Callable[..., None]
) -> None:
    small = {"viewport": {"width": 390, "height": 720}}
    context = await browser.new_context(**small)
    page = await context.new_page()
    await page.goto(api(demo))
    await assert_accessible(page)
    await shoot(page, "welcome")
    keys: Any = page.keyboard
    await keys.type("ann")
    await keys.press("Enter")
    # Before the chat is there nobody listens to its keys, and there is no banner either.
    await expect(page.locator("#chat")).to_be_visible()
    await expect(page.locator("#banner")).to_be_empty()
    await keys.press("Control+k")
    await keys.type("ben")
    await keys.press("Enter")
    await expect(page.locator("#compose-text")).to_be_focused()
    await keys.type("written")
    await keys.press("Shift+Enter")
    await keys.type("by keyboard")
    await keys.press("Enter")
    await expect(page.locator(".message .text")).to_have_text("written\nby keyboard")
    await expect(page.locator(".tick.sent")).to_be_visible()
    await page.locator("#scroll").focus()
    await keys.press("ArrowUp")
    await expect(page.locator(".message")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(page.locator(".reactions")).to_have_text("👍 1")
    await assert_accessible(page)
    await page.locator("#back").focus()
    await keys.press("Enter")
    await expect(page.locator("#list .row")).to_be_visible()
    await page.locator("#list .row").focus()
    await keys.press("Enter")
    await expect(page.locator("#compose-text")).to_be_focused()
    await asyncio.to_thread(backend, demo, ["I see. Without a mouse?"])
    await expect(page.locator(".message")).to_have_count(2)
    await keys.type("Yes, ")
    await shoot(page, "narrow")
