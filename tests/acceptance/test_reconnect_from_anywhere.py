"""A challenge on the site, solved through the remote view by a second browser that plays the person."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.acceptance.house import CANARIES, House, wait_until
from tests.support.browsers import a_browser

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(240)]

PHONE = {"width": 390, "height": 760}
DIMMED = """() => {
  const c = document.querySelector('#screen');
  return c.getContext('2d').getImageData(c.width - 4, c.height - 4, 1, 1).data[0] < 200;
}"""
"""The challenge stands over the page and darkens it."""
PASSWORD = "Tuppence-4711-crumpet"
E_MAIL = "gerda.host@example.org"


@pytest_asyncio.fixture
async def person() -> AsyncIterator[Browser]:
    """The person's own browser, somewhere else."""
    async with a_browser() as browser:
        yield browser


async def soon(condition: Any, what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what)


def ask(house: House, method: str, path: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"http://127.0.0.1:{house.port}{path}", method=method)
    request.add_header("X-API-KEY", CANARIES[1])
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def a_page(person: Browser) -> Page:
    """On a phone."""
    context = await person.new_context(viewport=PHONE, has_touch=True, locale="en-GB")
    return await context.new_page()


async def enter(person: Browser, link: str) -> Page:
    """Open the link on a phone and press the button."""
    page = await a_page(person)
    await page.goto(link)
    await page.click("#enter")
    return page


async def find_the_way_in(house: House, person: Browser) -> tuple[Page, str, str]:
    """Log in at the dashboard, ask for the browser; the page with its link, and a link that is void by then."""
    page = await a_page(person)
    await page.goto(f"http://127.0.0.1:{house.port}/reconnect")
    await page.fill("input[type=password]", CANARIES[1])
    await page.keyboard.press("Enter")
    await page.wait_for_selector("button[value=here]")
    void = ask(house, "POST", "/api/reconnect")[1]["link"]
    await page.click("button[value=here]")
    await page.wait_for_selector("#enter")
    return page, page.url, void


async def see_it(page: Page) -> None:
    """The picture is there in the size that this page has asked for; the first ones may have another."""
    await page.wait_for_function(
        """() => {
          const room = document.querySelector('main').getBoundingClientRect();
          const screen = document.querySelector('#screen');
          return !document.querySelector('#done').disabled && screen.width === Math.round(room.width)
            && screen.height === Math.round(Math.max(room.height, 320));
        }"""
    )


async def test_a_challenge_is_solved_from_a_phone_and_the_workers_go_on(
    house: House, person: Browser
) -> None:
    inbox, site = house.site.inbox, house.site
    house.changes["HALT_WAIT"] = "true"
    earlier = datetime.now(UTC) - timedelta(minutes=5)
    asked = inbox.add_thread(guest="Ines", says="Is there a lift?", at=earlier)
    other = inbox.add_thread(guest="Théo", says="Bonjour, où se garer ?")
    site.faults.raise_wall("captcha_arkose", at="typing")
    process = house.start("syncsend")
    await soon(lambda: house.rows("SELECT 1 FROM accounts WHERE link_state = 'halted'"), "halted")
    await soon(
        lambda: house.one("SELECT COUNT(*) FROM queue_outbox WHERE status = 'pending'") == 2,
        "two held replies",
    )
    await soon(lambda: "waiting, nothing is touched" in house.log(), "it waits")
    mark = site.log.mark
    inbox.host_writes(other, "Devant la maison.")
    looks = [ask(house, "GET", "/health")[1]["status"] for _ in range(5)]
    assert looks == ["halted"] * 5
    page, link, void = await find_the_way_in(house, person)
    assert site.log.touched(mark) == [], "until the person acts, nothing reaches the site"
    assert process.poll() is None

    await page.click("#enter")
    await see_it(page)
    assert await page.inner_text("#place") == site.url
    assert "#" not in page.url
    for other_link, why in ((link, "works once"), (void, "a newer one")):
        second = await enter(person, other_link)
        await second.wait_for_selector("#message:not([hidden])")
        assert why in await second.inner_text("#words")
    assert ask(house, "POST", "/api/reconnect")[1]["reason"] == "busy"

    await page.wait_for_function(DIMMED)
    assert len(site.faults.walls) == 1
    await page.focus("#screen")
    await page.keyboard.press("Shift+Tab")  # the last thing on the page is the button of the challenge
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#message:not([hidden])", timeout=60_000)
    assert site.faults.walls == []
    assert "readable again" in await page.inner_text("#title")
    assert house.one("SELECT link_state FROM accounts") == "ok"
    await soon(
        lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'sent'"), "the held reply is let go"
    )
    assert [thread for thread, _ in house.accepted_texts()] == [asked.number]
    stale = house.rows("SELECT status, reason FROM queue_outbox WHERE status <> 'sent'")
    assert stale == [("cancelled", "host_answered")]
    await page.goto(f"http://127.0.0.1:{house.port}/reconnect")
    told = await page.inner_text("main")
    assert "Ines: Sent" in told
    assert "Théo: Cancelled: You, or a co-host, wrote in the conversation after the guest." in told
    assert house.stop(process)[0] == 0


async def test_the_script_lets_a_person_log_in_from_another_machine(house: House, person: Browser) -> None:
    house.site.options.login_required = True
    house.site.inbox.add_thread(guest="Ines", says="Is there a lift?")
    process = house.start_script("scripts/reconnect_airbnb.py", "--remote")
    link: str = await asyncio.to_thread(house.wait_to_print, process, re.compile(r"http\S+#\S+"))
    assert house.site.log.touched(0) == [], "nothing is opened before the person comes"
    page = await enter(person, link)
    await see_it(page)

    size = await page.evaluate(
        "() => { const c = document.querySelector('#screen'); return [c.width, c.height]; }"
    )
    there = await (await person.new_context(viewport={"width": size[0], "height": size[1]})).new_page()
    await there.goto(f"{house.site.url}/login")
    box = await page.locator("#screen").bounding_box()
    assert box is not None

    async def tap(selector: str) -> None:
        """Where the same page has this on a screen of the same size."""
        its = await there.locator(selector).bounding_box()
        assert its is not None
        x, y = its["x"] + its["width"] / 2, its["y"] + its["height"] / 2
        await page.touchscreen.tap(
            box["x"] + x / size[0] * box["width"], box["y"] + y / size[1] * box["height"]
        )

    await tap("#phone-or-email")
    await page.locator("#typing").press_sequentially(E_MAIL)
    await page.click("#tab")
    await page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.setData('text', text);
          const paste = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
          document.querySelector('#typing').dispatchEvent(paste);
        }""",
        PASSWORD,
    )
    await tap("[data-testid='signup-login-submit-btn']")
    await page.wait_for_selector("#message:not([hidden])", timeout=60_000)
    assert "readable again" in await page.inner_text("#title")
    code, output = await asyncio.to_thread(house.wait_for, process)
    assert code == 0, output
    assert (house.folder / "session" / "storage_state.json").exists()
    everything = output + "".join(
        path.read_text(errors="replace") for path in (house.folder / "logs").rglob("*") if path.is_file()
    )
    token = link.partition("#")[2]
    assert not [secret for secret in (PASSWORD, "crumpet", E_MAIL, "gerda") if secret in everything]
    assert token not in everything.replace(output, "")
    logins = [entry for entry in house.site.log.entries if entry.kind == "login"]
    assert logins
