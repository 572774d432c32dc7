"""The naive design: open the inbox, then every conversation by its address, and read the page's text.

Replies are typed at 50 to 150 ms a character (the middle, 100 ms, is taken for the calculation; what is measured
is typed at 1 ms), the outbox is looked at every 15 s, the inbox every 45 s.
"""

from __future__ import annotations

from playwright.async_api import Page

from src.channels.airbnb import selectors

POLL_INBOX_SEC, POLL_OUTBOX_SEC = 45.0, 15.0
KEY_MS = 100.0


class Naive:
    """On one page, which it leads from address to address."""

    def __init__(self, page: Page, base_url: str) -> None:
        self._page = page
        self._inbox = f"{base_url}{selectors.INBOX_PATH}"

    async def see_list(self) -> None:
        """Load the inbox and wait for its rows."""
        await self._page.goto(self._inbox)
        await self._page.locator(selectors.ROWS).first.wait_for()

    async def visit(self, number: int) -> list[str]:
        """Load one conversation by address and read its messages, item by item."""
        await self._page.goto(f"{self._inbox}/{number}")
        items = self._page.locator(f"{selectors.ITEMS}:not([data-item-id='-1'])")
        await items.first.wait_for()
        return [await item.inner_text() for item in await items.all()]

    async def send(self, number: int, text: str) -> None:
        """Load the conversation, type key by key, press Send, load it again to see the message."""
        await self._page.goto(f"{self._inbox}/{number}")
        composer = self._page.locator(selectors.COMPOSER)
        await composer.click()
        await composer.press_sequentially(text, delay=1)
        await self._page.locator(selectors.SEND_BUTTON).click()
        await self._page.get_by_text(text[:40]).first.wait_for()
        await self._page.goto(f"{self._inbox}/{number}")
        await self._page.get_by_text(text[:40]).first.wait_for()
