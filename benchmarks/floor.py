"""The raw floor: bare Playwright that does the same clicks, and with a ``Ledger`` what the promises need besides.

Bare clicks promise nothing: a reply may go out twice after a crash, or over what the host has just written. The
floor with a ledger holds, each in its plainest form, what no design that keeps the promises can leave out; which
calls these are, and what each of them buys, is the table "The way of a reply" in docs/performance.md.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, Playwright, Response, async_playwright

from src.channels.airbnb import ids, selectors
from src.channels.browser import find_browsers, launch_options

LIST, THREAD, SEND = "ViaductInboxData", "ViaductGetThreadAndDataQuery", "CreateBulkMessagesMutation"
_COME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"


class BareBrowser:
    """A browser with the product's own launch options, and nothing of the product around it."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._playwright: Playwright | None = None
        self.context: BrowserContext | None = None

    async def start(self) -> Page:
        self._playwright = await async_playwright().start()
        executable = find_browsers(None, self._playwright.chromium.executable_path)[0]
        self.context = await self._playwright.chromium.launch_persistent_context(
            self._profile,
            executable_path=executable,
            headless=True,
            viewport={"width": 1280, "height": 900},
            service_workers="block",
            **launch_options(),
        )
        pages = self.context.pages
        return pages[0] if pages else await self.context.new_page()

    async def stop(self) -> None:
        if self.context is not None:
            await self.context.close()
        if self._playwright is not None:
            await self._playwright.stop()


class Ledger:
    """The least that survives a crash: one row for each step, on the disk when ``note`` returns."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS steps (step TEXT, words TEXT)")

    def note(self, step: str, words: str) -> None:
        """One commit."""
        self._db.execute("INSERT INTO steps VALUES (?, ?)", (step, words))

    def close(self) -> None:
        self._db.close()


class Floor:
    """The same clicks on one page; with a ledger also what the promises need."""

    def __init__(self, page: Page, base_url: str, ledger: Ledger | None = None) -> None:
        self._page = page
        self._base = base_url
        self._ledger = ledger

    async def open(self) -> None:
        """The inbox, loaded once."""
        async with self._page.expect_response(_of(LIST)) as told:
            await self._page.goto(f"{self._base}{selectors.INBOX_PATH}", wait_until="domcontentloaded")
        await _json(await told.value)
        await self._page.locator(selectors.ROWS).first.wait_for()

    async def refresh(self) -> Any:
        """Make the page fetch its list anew, and take the JSON."""
        async with self._page.expect_response(_of(LIST)) as told:
            await self._page.evaluate(_COME_BACK)
        return await _json(await told.value)

    async def list_with(self, number: int) -> Any:
        """The next list that the page fetches by itself and that has this conversation on top."""
        while True:
            response = await self._page.wait_for_event("response", _of(LIST))
            payload = await _json(response)
            edges = payload["data"]["node"]["messagingInbox"]["inboxItems"]["edges"]
            if edges and ids.thread_number(edges[0]["node"]["id"]) == number:
                return payload

    async def read(self, number: int) -> Any:
        """Click a row and take the JSON of the conversation. With a ledger its message is kept."""
        async with self._page.expect_response(_of(THREAD)) as told:
            await self._page.locator(selectors.row(number)).click()
        payload = await _json(await told.value)
        self._note("message", "what the guest wrote")
        return payload

    async def read_again(self, aside: int, number: int) -> None:
        """A conversation that is open already: a click on it fetches nothing, so another one is clicked first."""
        await self.read(aside)
        await self.read(number)

    async def write(self, text: str) -> Any:
        """Click into the composer, insert, press Send, take the answer, see the message on the page.

        With a ledger: the reply is kept, the composer read back, the arm kept, the list asked once more, and the
        proof kept.
        """
        self._note("reply", text)
        composer = self._page.locator(selectors.COMPOSER)
        await composer.click()
        await self._page.keyboard.insert_text(text)
        if self._ledger is not None:
            if text[:40] not in await composer.inner_text():
                raise RuntimeError("the composer does not hold the reply")
            self._note("arm", text)
            await self.refresh()
        async with self._page.expect_response(_of(SEND)) as told:
            await self._page.locator(selectors.SEND_BUTTON).click()
        payload = await _json(await told.value)
        made = payload["data"]["createBulkMessages"]["messages"][0]["id"]
        item = f'{selectors.MESSAGE_LIST} [data-item-id="{ids.message_number(made)}"]'
        await self._page.locator(item).wait_for()
        self._note("sent", made)
        return payload

    def _note(self, step: str, words: str) -> None:
        if self._ledger is not None:
            self._ledger.note(step, words)


def _of(operation: str) -> Callable[[Response], bool]:
    return lambda response: f"/{operation}/" in response.url


async def _json(response: Response) -> Any:
    return json.loads(await response.body())
