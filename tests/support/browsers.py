"""The browser of a person, beside the one that the product drives."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from src.channels.browser import find_browsers, launch_options


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    """The one that the product itself would start, with the product's own options."""
    async with async_playwright() as playwright:
        found = find_browsers(os.environ.get("BROWSER_EXECUTABLE_PATH"), playwright.chromium.executable_path)
        browser = await playwright.chromium.launch(executable_path=found[0], **launch_options())
        yield browser
        await browser.close()
