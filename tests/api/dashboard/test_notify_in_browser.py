"""Notifications of the browser: asked for once, told of what is new while nobody looks, quiet at night."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect
from sqlalchemy import update

from src.db.statements import OUTBOX

pytestmark = pytest.mark.browser
RECORD = """ServiceWorkerRegistration.prototype.showNotification = async function (title, options) {
  localStorage.setItem("shown", (localStorage.getItem("shown") || "") + options.body + "|");
};
document.hasFocus = () => window.front !== false;"""
"""What headless Chromium shows nobody is written down, for all pages of the browser; and who looks is ours to say."""
SHOWN = "localStorage.getItem('shown')"


def a_new_draft(house):
    """A reply that was sent becomes a draft that has just come in."""
    with house.db.write() as conn:
        statement = update(OUTBOX).where(OUTBOX.c.id == "o120-4")
        changes = {
            "status": "draft",
            "processed_at": None,
            "created_at": datetime.now(UTC) - timedelta(seconds=1),
        }
        conn.execute(statement.values(arm_count=0, armed_at=None, receipt_external_id=None, **changes))


async def asked_for(house, person, **settings):
    home = await house(**settings)
    page = await person()
    await page.context.grant_permissions(["notifications"], origin=home.url)
    await page.context.add_init_script(RECORD)
    await page.goto(home.url)
    await page.get_by_role("button", name="Notify me on this device").click()
    await expect(page.get_by_role("button", name="Stop that")).to_be_visible()
    assert await page.evaluate(SHOWN) is None
    await page.evaluate("window.front = false")  # another window is
    return home, page


async def test_something_new_is_notified_once_without_a_word_of_the_guest(house, person):
    home, page = await asked_for(house, person)
    other = await page.context.new_page()
    await other.goto(f"{home.url}/conversations")
    await other.evaluate("window.front = false")
    a_new_draft(home)
    for one in (page, other):
        await expect(one).to_have_title(re.compile(r"^\(7\)"))
    await page.wait_for_function(f"{SHOWN} !== null")
    assert await page.evaluate(SHOWN) == "Something new waits for you.|"
    await page.get_by_role("button", name="Stop that").click()
    await expect(page.get_by_role("button", name="Notify me on this device")).to_be_visible()


async def test_at_night_a_draft_notifies_nobody(house, person):
    now = datetime.now(UTC)
    quiet = f"{(now.hour - 1) % 24}-{(now.hour + 2) % 24}"
    home, page = await asked_for(house, person, quiet_hours=quiet, time_zone="UTC")
    a_new_draft(home)
    await expect(page).to_have_title("(7) Overview · Nightporter")
    assert await page.evaluate(SHOWN) is None


async def test_a_browser_that_may_not_notify_says_so(house, person):
    home = await house()
    page = await person()
    await page.add_init_script("Object.defineProperty(Notification, 'permission', {get: () => 'denied'})")
    await page.goto(home.url)
    await expect(page.get_by_text("This browser does not let Nightporter notify you")).to_be_visible()
    await expect(page.get_by_role("button", name="Notify me on this device")).to_be_hidden()
