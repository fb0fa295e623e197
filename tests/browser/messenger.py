"""The demo chat as its user sees it: what is typed, pressed and read in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from playwright.async_api import expect

from tests.browser.chromium import PATIENCE_MS

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page

    from tests.node import Node

HARMLESS = ("ERR_CONNECTION_REFUSED", "ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_RESET")
"""What Chromium logs by itself while there is no node."""


def api(node: Node) -> str:
    """Where the pages are."""
    return "http://{}:{}".format(*node.api)


class Person:
    """Somebody before the demo chat."""

    def __init__(self, name: str, context: BrowserContext, page: Page) -> None:
        self.name = name
        self.context = context
        self.page = page
        self.scars: list[str] = []
        page.on("pageerror", lambda error: self.scars.append(str(error)))
        page.on("console", self._on_console)
        page.set_default_timeout(PATIENCE_MS)

    def _on_console(self, message: Any) -> None:
        if message.type == "error" and not any(text in message.text for text in HARMLESS):
            self.scars.append(message.text)

    @classmethod
    async def at(cls, browser: Browser, node: Node, name: str, **options: Any) -> Self:
        """Open the page and enter."""
        view = {"viewport": {"width": 1000, "height": 680}} | options
        context = await browser.new_context(**view)
        person = cls(name, context, await context.new_page())
        await person.page.goto(api(node))
        await person.page.fill("#name", name)
        await person.page.press("#name", "Enter")
        await person.is_online()
        return person

    async def is_online(self) -> None:
        """The line is up: the page says nothing of it."""
        await expect(self.page.locator("#chat")).to_be_visible()
        await expect(self.page.locator("#banner")).to_be_empty()

    async def is_offline(self) -> None:
        """The page says so."""
        await expect(self.page.locator("#banner")).to_contain_text("Offline")

    async def write_to(self, other: str) -> None:
        """Begin a chat."""
        await self.page.click("#new-chat")
        await self.page.fill("#dialog-people", other)
        await self.page.press("#dialog-people", "Enter")
        await expect(self.page.locator("#title")).to_have_text(other)

    async def choose(self, name: str) -> None:
        """Open a chat of the list."""
        await self.page.locator(".row", has_text=name).first.click()
        await expect(self.page.locator("#title")).to_have_text(name)

    async def say(self, *texts: str) -> None:
        """Send messages."""
        for text in texts:
            await self.page.fill("#compose-text", text)
            await self.page.press("#compose-text", "Enter")

    async def attach(self, path: Path) -> None:
        """Send a file."""
        await self.page.set_input_files("#file", path)

    def message(self, text: str) -> Any:
        """The message with that text."""
        return self.page.locator(".message", has_text=text)

    async def sees(self, *texts: str) -> None:
        """These are on the screen, in this order, each once, and nothing else."""
        await expect(self.page.locator(".message .text")).to_have_text(list(texts))

    async def sees_ticks(self, text: str, state: str) -> None:
        """How an own message stands."""
        await expect(self.message(text).locator(f".tick.{state}")).to_be_visible()

    def assert_unharmed(self) -> None:
        """No script failed, and nothing was tried that the page's policy forbids."""
        assert self.scars == []
