"""The pages about the AI in a real browser: nothing against axe, a question answered on a phone, a translation."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from tests.api.dashboard.conftest import SIZES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PATHS = (
    "/outbox",
    "/ai/missing-facts",
    "/ai/knowledge?q=kettle",
    "/ai/autonomy",
    "/ai/results",
)


async def test_nothing_for_axe_and_no_scrolling_sideways_on_the_pages_about_the_ai(
    assistant_house, person, axe
):
    assistant_house.model.script["translation"] = {"text": "In my language."}
    for size, scheme in (("desk", "light"), ("phone", "dark")):
        page = await person(size, color_scheme=scheme, bypass_csp=True)
        for path in PATHS:
            await page.goto(f"{assistant_house.url}{path}")
            await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= SIZES[size]["width"], (size, path)
            await page.evaluate(axe)
            found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            told = [(v["id"], [n["target"] for n in v["nodes"]][:4]) for v in found["violations"]]
            assert told == [], (size, scheme, path, json.dumps(told))
        await page.context.close()


async def test_a_missing_fact_is_answered_with_one_thumb(assistant_house, person):
    page = await person("phone")
    await page.goto(assistant_house.url)
    await page.get_by_role("link", name="1 question that your facts do not answer").click()
    card = page.locator(f"#fact-{assistant_house.question}")
    await card.get_by_label("Your answer, in one line").fill("Yes, under the sink.")
    button = card.get_by_role("button", name="Answer and keep")
    assert (await button.bounding_box())["height"] >= 44
    await button.click()
    await expect(page.get_by_role("status").first).to_contain_text("Kept as a fact.")
    await expect(page.get_by_text("is a fact now")).to_be_hidden()  # in the part that is closed
    await expect(page.locator(".places .count")).to_have_count(0)
    assert "under the sink" in (assistant_house.folder / "learned.csv").read_text()


async def test_a_draft_is_translated_once_the_page_stands_and_approving_never_waits(assistant_house, person):
    assistant_house.model.script["translation"] = {"text": "In my language."}
    page = await person("phone")
    await page.goto(f"{assistant_house.url}/outbox")
    card = page.locator(f"#job-{assistant_house.draft}")
    await expect(card.get_by_text("In my language.").first).to_be_visible()
    await page.reload()
    await expect(card.get_by_text("In my language.").first).to_be_visible()
    await card.get_by_text("Why this answer").click()
    await expect(card.get_by_text("house.md:4")).to_be_visible()
    assistant_house.model.ways = ["hanging"]
    await card.get_by_role("button", name="Approve and send").click()
    await expect(page.get_by_role("status").first).to_contain_text("Approved")
