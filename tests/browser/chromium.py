"""One Chromium for all tests of a session: contexts of its own for each, the start paid once.

Playwright's objects live on the loop that made them, so the tests that use them run on that one.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING, TypeVar

from playwright.async_api import Error, async_playwright, expect

from tests.sdk.application import ROOT

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

    from playwright.async_api import Browser, Page, Playwright

    Result = TypeVar("Result")

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)
SCREENS = ROOT / "reports" / "screens"
PATIENCE_MS = 20_000
PICTURE_MS = 5_000


class Chromium:
    """The browser and its loop; started when somebody asks for it."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something on the browser's loop."""
        return self._runner.run(work)

    def browser(self) -> Browser:
        """The browser; another one if it has crashed."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = self.run(self._launch())
        return self._browser

    def clean(self) -> None:
        """Close what a test has opened: nothing of it is left to the next."""
        if self._browser is not None:
            for context in self._browser.contexts:
                self.run(context.close())

    def close(self) -> None:
        """End the browser."""
        if self._playwright is not None:
            if self._browser is not None:
                self.run(self._browser.close())
            self.run(self._playwright.stop())
        self._runner.close()

    async def _launch(self) -> Browser:
        expect.set_options(timeout=PATIENCE_MS)
        if self._playwright is None:
            self._playwright = await async_playwright().start()
        path = shutil.which("chromium")
        return await self._playwright.chromium.launch(executable_path=path, args=FLAGS)


async def shoot(page: Page, name: str) -> Path:
    """Keep a picture of a page."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    path = SCREENS / f"{name}.png"
    await page.screenshot(path=path, timeout=PICTURE_MS, animations="disabled")
    return path


async def shoot_all(browser: Browser, name: str) -> None:
    """Keep a picture of every page that is open, whatever state it is in."""
    pages = [page for context in browser.contexts for page in context.pages]
    for number, page in enumerate(pages, 1):
        with contextlib.suppress(Error):
            await shoot(page, f"{name}-{number}")
