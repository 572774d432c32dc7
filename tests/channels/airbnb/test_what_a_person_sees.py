"""Each name in ``selectors.py`` against the page as a person has it in front of them (pytest-playwright)."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb import selectors

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("locale", ["en", "fr", "ja"])
def test_every_name_of_the_inbox_is_on_the_page_in_every_language(
    site: SimulatedSite, page: Page, locale: Any
):
    site.options.locale = locale
    site.options.cookie_banner = True
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    site.inbox.add_thread(guest="Ben", says="Hi")
    page.goto(site.inbox_url)
    expect(page.locator(selectors.ROWS)).to_have_count(2)
    expect(page.locator(selectors.ROW_FRAME)).to_have_count(2)
    for name in (
        selectors.LIST_MARKER,
        selectors.LIST_ROOT,
        selectors.row(thread.number),
        selectors.COOKIE_BANNER,
    ):
        expect(page.locator(name)).to_have_count(1)
    page.locator(selectors.row(thread.number)).click()
    for name in (selectors.THREAD_PANEL, selectors.MESSAGE_LIST, selectors.COMPOSER, selectors.SEND_BUTTON):
        expect(page.locator(name)).to_have_count(1)
    shown = page.locator(f"{selectors.ITEMS}:not([data-item-id='{selectors.START_ITEM_ID}'])")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-item-id", str(thread.messages[0].number))
    walls = [*selectors.WALL_CHALLENGE, *selectors.WALL_LOGIN, *selectors.WALL_CHALLENGE_ON_SCREEN]
    for name in walls:
        expect(page.locator(name).locator("visible=true")).to_have_count(0)


def test_the_login_page_shows_what_the_product_knows_it_by(site: SimulatedSite, page: Page):
    site.options.login_required = True
    page.goto(site.inbox_url)
    shown = [name for name in selectors.WALL_LOGIN if page.locator(name).locator("visible=true").count()]
    assert "#phone-or-email" in shown
    assert 'input[type="password"]' in shown
