"""A shop on another origin than the chat's server, the network between them, and visitors with real browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Locator, Page, expect

from sandbox.widget.network import Network
from sandbox.widget.shop import open_shop
from src.db.engine import Database
from tests.support.api import sqlite_db
from tests.support.browsers import a_browser
from tests.support.npm import npm_modules
from tests.support.ports import free_port
from tests.support.widget import SITE, RealClock, Shop

AXE_VERSION = "4.14.1"
PATIENCE_MS = 30_000
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 375, "height": 740}}
expect.set_options(timeout=PATIENCE_MS)
db = sqlite_db


@dataclass
class Here:
    """Everything around one visitor."""

    shop: Shop
    network: Network
    page_url: str
    api_port: int

    def texts(self) -> list[str]:
        """What is stored, in its order."""
        return [message.text for message in self.shop.messages()]


Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture
async def open_house(db: Database, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Here]]]:
    async with AsyncExitStack() as stack:

        async def opened(*, language: str = "auto", **own: Any) -> Here:
            network = Network(free_port())
            await network.start()
            page_url = stack.enter_context(open_shop(network.url, SITE, language))
            given = {"rate_visitor_min": 1000, "rate_address_min": 1000, **own}
            shop = Shop(db, RealClock(), tmp_path, origins=page_url, **given)
            await stack.enter_async_context(shop.served(network.target_port))
            stack.push_async_callback(network.stop)
            stack.push_async_callback(shop.close)
            return Here(shop, network, page_url, network.target_port)

        yield opened


@pytest_asyncio.fixture
async def here(open_house: Callable[..., Awaitable[Here]]) -> Here:
    return await open_house()


@pytest_asyncio.fixture
async def visitor() -> AsyncIterator[Callable[..., Awaitable[BrowserContext]]]:
    """``await visitor()``: a browser of its own; what its page says of errors or of the policy fails the test."""
    complaints: list[str] = []
    async with a_browser() as browser:

        async def come(size: str = "desk", **options: Any) -> BrowserContext:
            given = {"viewport": SIZES[size], "locale": "en-GB", **options}
            context = await browser.new_context(**given)
            context.set_default_timeout(PATIENCE_MS)
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            context.on(
                "console",
                lambda said: complaints.append(said.text) if "Security Policy" in said.text else None,
            )
            return context

        yield come
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    return (npm_modules("axe-core", AXE_VERSION) / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


async def arrive(context: BrowserContext, here: Here, *, opened: bool = True) -> Page:
    """A page of the shop, with the chat open."""
    page = await context.new_page()
    await page.goto(here.page_url)
    await expect(launcher(page)).to_be_visible()
    if opened:
        await launcher(page).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
    return page


def launcher(page: Page) -> Locator:
    return page.locator("button.launch")


def box(page: Page) -> Locator:
    return page.get_by_role("dialog").get_by_role("textbox")


async def write(page: Page, text: str) -> None:
    await box(page).fill(text)
    await box(page).press("Enter")


def bubbles(page: Page) -> Locator:
    return page.locator(".said .text")


async def shows(page: Page, *texts: str) -> None:
    """These messages and no other ones, none of them waiting."""
    await expect(bubbles(page)).to_have_text(list(texts))
    await expect(page.locator(".waits")).to_have_count(0)
