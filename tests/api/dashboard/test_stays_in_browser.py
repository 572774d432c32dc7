"""A person writes on a phone; long names of houses and guests break no row, in either language and scheme."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from playwright.async_api import expect
from sqlalchemy import update

from src.db.statements import CONVERSATIONS
from tests.api.dashboard.test_pages_in_browser import jobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

HOUSE = "Casa da Avó Maria com vista para o Castelo de São Jorge, o rio e os telhados todos de Alfama"
GUEST = "Maximiliane-Friederike von und zu Wolkenkuckucksheim-Donaudampfschifffahrtsgesellschaft"


@pytest.fixture
def fill_in():
    def fill(here):
        begin = datetime.now(UTC).date() + timedelta(days=3)
        stay = {
            "listing_name": HOUSE,
            "check_in": begin.isoformat(),
            "check_out": (begin + timedelta(days=5)).isoformat(),
            "guests": "12",
            "trip_stage": "UPCOMING_RESERVATIONS",
        }
        words = {"summary": f"Reservation confirmed · {HOUSE}", "trip_stage": "PAST_RESERVATIONS"}
        with here.db.write() as conn:
            conn.execute(update(CONVERSATIONS).values(stay=json.dumps(stay), guest_name=GUEST))
            some = CONVERSATIONS.c.external_id.in_(here.conversations[::2])
            conn.execute(update(CONVERSATIONS).where(some).values(stay=json.dumps(words)))

    return fill


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_long_names_break_no_row(house, person, fill_in, axe, locale, scheme):
    here = await house()
    fill_in(here)
    one = f"/conversations/{quote(here.conversations[2], safe='')}"
    for size in ("phone", "desk"):
        page = await person(size, locale=locale, color_scheme=scheme, bypass_csp=True)
        for path in ("/", "/conversations", "/outbox?state=draft", one):
            await page.goto(f"{here.url}{path}")
            await expect(page.locator(".stay").first).to_be_visible()
            sideways = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert sideways <= 0, (size, path)
            await page.evaluate(axe)
            found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            told = [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in found["violations"]]
            assert told == [], (size, path, json.dumps(told))
        await page.context.close()


async def test_a_person_writes_with_one_thumb_and_the_words_are_in_the_queue(house, person):
    here = await house()
    page = await person("phone", has_touch=True)
    await page.goto(f"{here.url}/conversations/{quote(here.conversations[7], safe='')}")
    before = {job.id for job in jobs(here, "pending")}
    field = page.get_by_label("Write to the guest yourself")
    await field.fill("It is in the wardrobe. Anna")
    send = page.get_by_role("button", name="Send", exact=True)
    box = await send.bounding_box()
    assert box["height"] >= 44
    await send.tap()
    await expect(page.get_by_role("status").first).to_contain_text("Your message")
    (job,) = [one for one in jobs(here, "pending") if one.id not in before]
    assert (job.text, job.written_by) == ("It is in the wardrobe. Anna", "person")
    await expect(page.locator(f"#job-{job.id}")).to_contain_text("Host")


async def test_the_way_to_airbnb_opens_beside_the_page(house, person):
    here = await house()
    page = await person("phone")
    await page.goto(f"{here.url}/conversations/{quote(here.conversations[2], safe='')}")
    link = page.get_by_role("link", name="Open on Airbnb")
    assert await link.get_attribute("target") == "_blank"
    assert (await link.bounding_box())["height"] >= 44
